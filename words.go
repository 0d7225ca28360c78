package caseforms

// Text is wording in the languages a form may be printed in. English is always there; where Welsh is not, English is used.
type Text struct {
	En, Cy string
}

// In returns the wording in lang ("en" or "cy").
func (t Text) In(lang string) string {
	if lang == "cy" && t.Cy != "" {
		return t.Cy
	}
	return t.En
}

// IsZero tells whether there is no wording at all.
func (t Text) IsZero() bool { return t.En == "" && t.Cy == "" }

// Option is one answer that may be chosen: Value is what the case record holds, Label what is printed.
type Option struct {
	Value string
	Label Text
}

// Words are the fixed words of a document ("Not known", "Page", the months), from templates/words.yaml.
type Words map[string]Text
