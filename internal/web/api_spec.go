package web

// apiSpec is what the description of the API says of a route.
type apiSpec struct {
	id, sum  string
	query    []apiParam
	in       any    // of the body: a struct
	caseBody bool   // the body is a case record
	out      any    // of the answer: a struct
	code     int    // of the answer; 0 is 200
	media    string // of the answer, when it is no JSON of ours
	files    bool   // the answer is a file in one of the formats
	etag     bool   // the answer has an ETag
	match    bool   // If-Match is needed
	name     string // of the Idempotency-Key: needed or optional
	noBody   bool   // there is no answer but the status
}

type apiParam struct{ name, doc string }

func (s *Service) apiSpecRoutes() []Route { return nil }
