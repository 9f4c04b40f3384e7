package tables

import "slices"

// Service is a well-known service and what it needs of a policy.
type Service struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Anchors are the hosts that show, when a policy names one, that it is
	// meant to allow the service.
	Anchors []string `json:"anchors"`
	Needs   []Need   `json:"needs"`
	// KeepDenied are requests that change something for others, such as
	// publishing: no policy should allow them unawares.
	KeepDenied []Need `json:"keep_denied"`
	// Policy is the ready-made policy for the service, "" for none.
	Policy string `json:"policy,omitempty"`
}

// The levels of a need.
const (
	NeedRequired  = "required"  // nothing works without it
	NeedFeature   = "feature"   // something particular does not work without it
	NeedTelemetry = "telemetry" // everything works without it
)

// Need is one kind of request that a service makes; methods and path globs as in
// a rule.
type Need struct {
	Host    string   `json:"host"`
	Methods []string `json:"methods"`
	Paths   []string `json:"paths"`
	Level   string   `json:"level"`
	Reason  string   `json:"reason"`
	// Scheme is "http" where the service uses plain HTTP by default.
	Scheme string `json:"scheme,omitempty"`
	// EncodedSlash says that the service sends %2F inside a segment.
	EncodedSlash bool `json:"encoded_slash,omitempty"`
}

var services = entries[Service]("services.json")

// Services lists the well-known services.
func Services() []Service {
	list := slices.Clone(services())
	for i := range list {
		list[i].Anchors = slices.Clone(list[i].Anchors)
		list[i].Needs = cloneNeeds(list[i].Needs)
		list[i].KeepDenied = cloneNeeds(list[i].KeepDenied)
	}
	return list
}

func cloneNeeds(needs []Need) []Need {
	list := slices.Clone(needs)
	for i := range list {
		list[i].Methods = slices.Clone(list[i].Methods)
		list[i].Paths = slices.Clone(list[i].Paths)
	}
	return list
}
