// Package samples holds the invented cases, for the demonstration.
package samples

import "embed"

// Cases are the cases as JSON, in the folder cases.
//
//go:embed cases/*.json
var Cases embed.FS
