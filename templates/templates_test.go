package templates

import "testing"

func TestBuiltinLoads(t *testing.T) {
	for _, area := range append(Areas(), "") {
		if _, err := Load(area); err != nil {
			t.Errorf("area %q: %v", area, err)
		}
	}
}
