package diff

import (
	"net/netip"
	"slices"

	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/schemas"
)

// Verdict sums up what passes after a change, against before.
type Verdict string

// The verdicts.
const (
	Equivalent   Verdict = "equivalent"
	Narrower     Verdict = "narrower"
	Wider        Verdict = "wider"
	Incomparable Verdict = "incomparable" // wider and narrower
	Unknown      Verdict = "unknown"      // in one direction at least
)

// Direction is what a single change does.
type Direction string

// The directions.
const (
	Widens  Direction = "wider"
	Narrows Direction = "narrower"
)

// The surfaces, in the order of a report.
const (
	SurfaceMode     = "mode"
	SurfaceNetwork  = "network"
	SurfaceFiles    = "files"
	SurfaceCommands = "commands"
)

// Report compares two policies.
type Report struct {
	Policy   string    `json:"policy"`        // its name, after the change
	Was      string    `json:"was,omitempty"` // its name before, if another
	Verdict  Verdict   `json:"verdict"`       // over all surfaces
	Surfaces []Surface `json:"surfaces"`
}

// Surface is one part of a report.
type Surface struct {
	Name     string   `json:"name"`
	Verdict  Verdict  `json:"verdict"`
	Wider    string   `json:"wider"`             // yes, no or unknown
	Narrower string   `json:"narrower"`          // likewise
	Unknown  []string `json:"unknown,omitempty"` // why
	Changes  []Change `json:"changes"`

	doubts map[Direction]bool // what is not settled, whatever else is known
}

// Change is one class of requests, operations or commands that passes on one side
// only.
type Change struct {
	Surface   string    `json:"surface"`
	Direction Direction `json:"direction"`
	// Class says in the words of the patterns what changes.
	Class string `json:"class"`
	// Example is the shortest, as people write it.
	Example string `json:"example"`
	Before  Part   `json:"before"`
	After   Part   `json:"after"`
	// Address is an address that the host may resolve to, where only that is
	// what changes.
	Address string `json:"address,omitempty"`
	// Tunnel says that TLS is passed through unread on one side only.
	Tunnel bool `json:"tunnel,omitempty"`
	// Input is the example as the engine decided it.
	Input *schemas.DecisionInput `json:"input,omitempty"`

	weight int
}

// Part is what one policy makes of a change.
type Part struct {
	Passes  bool         `json:"passes"`
	Allow   bool         `json:"allow"`
	Code    schemas.Code `json:"code"`
	Message string       `json:"message"`
	Rule    string       `json:"rule"`
	File    string       `json:"file,omitempty"`
	Line    int          `json:"line,omitempty"`
}

// PartOf is what a decision makes of an example.
func PartOf(d *schemas.Decision) Part { return part(d, d.Passes()) }

func part(d *schemas.Decision, passes bool) Part {
	p := Part{Passes: passes, Allow: d.Allow, Code: d.Code, Message: d.Message, Rule: d.Rule}
	if d.Source != nil {
		p.File, p.Line = d.Source.File, d.Source.Line
	}
	return p
}

// tally is what is known of one surface while it is compared.
type tally struct {
	Surface
	unknown map[Direction]bool
}

func newTally(name string) *tally {
	return &tally{Surface: Surface{Name: name, Changes: []Change{}}, unknown: map[Direction]bool{}}
}

// doubt records why a direction is not settled.
func (t *tally) doubt(why string, directions ...Direction) {
	for _, d := range directions {
		t.unknown[d] = true
	}
	if !slices.Contains(t.Unknown, why) {
		t.Unknown = append(t.Unknown, why)
	}
}

func (t *tally) settled(d Direction) exact.Verdict {
	switch {
	case slices.ContainsFunc(t.Changes, func(c Change) bool { return c.Direction == d }):
		return exact.Yes
	case t.unknown[d]:
		return exact.Unknown
	}
	return exact.No
}

func (t *tally) finish() Surface {
	wider, narrower := t.settled(Widens), t.settled(Narrows)
	t.doubts = t.unknown
	t.Wider, t.Narrower, t.Verdict = wider.String(), narrower.String(), verdict(wider, narrower)
	slices.SortStableFunc(t.Changes, func(a, b Change) int {
		if a.Direction != b.Direction {
			return map[Direction]int{Widens: -1, Narrows: 1}[a.Direction]
		}
		return a.weight - b.weight
	})
	return t.Surface
}

// verdict joins the two directions. What is certainly both needs no more.
func verdict(wider, narrower exact.Verdict) Verdict {
	switch {
	case wider == exact.Yes && narrower == exact.Yes:
		return Incomparable
	case wider == exact.Unknown || narrower == exact.Unknown:
		return Unknown
	case wider == exact.Yes:
		return Wider
	case narrower == exact.Yes:
		return Narrower
	}
	return Equivalent
}

// overall joins the verdicts of surfaces.
func overall(surfaces []Surface) Verdict {
	join := func(get func(*Surface) string) exact.Verdict {
		out := exact.No
		for i := range surfaces {
			switch get(&surfaces[i]) {
			case "yes":
				return exact.Yes
			case "unknown":
				out = exact.Unknown
			}
		}
		return out
	}
	return verdict(join(func(s *Surface) string { return s.Wider }), join(func(s *Surface) string { return s.Narrower }))
}

// Is tells whether any change, or doubt, goes in a direction.
func (r *Report) Is(d Direction) exact.Verdict {
	out := exact.No
	for i := range r.Surfaces {
		s := r.Surfaces[i].Wider
		if d == Narrows {
			s = r.Surfaces[i].Narrower
		}
		switch s {
		case "yes":
			return exact.Yes
		case "unknown":
			out = exact.Unknown
		}
	}
	return out
}

// extra returns an address of the second list of ranges that the first does not
// hold.
func extra(has, wants []netip.Prefix) (netip.Addr, bool) {
	for _, p := range wants {
		if a, ok := outside(p.Masked(), has); ok {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// outside returns an address of p that is in none of the ranges.
func outside(p netip.Prefix, ranges []netip.Prefix) (netip.Addr, bool) {
	overlaps := false
	for _, r := range ranges {
		if r.Bits() <= p.Bits() && r.Contains(p.Addr()) {
			return netip.Addr{}, false
		}
		overlaps = overlaps || r.Overlaps(p)
	}
	if !overlaps {
		return p.Addr(), true
	}
	low, high := halves(p)
	if a, ok := outside(low, ranges); ok {
		return a, true
	}
	return outside(high, ranges)
}

func halves(p netip.Prefix) (low, high netip.Prefix) {
	low = netip.PrefixFrom(p.Addr(), p.Bits()+1)
	bytes := p.Addr().AsSlice()
	bytes[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	a, _ := netip.AddrFromSlice(bytes)
	return low, netip.PrefixFrom(a, p.Bits()+1)
}

// Settle gives a surface other changes, after some were accepted, and says what
// is left of its verdict. Without doubt only the changes count.
func (s *Surface) Settle(changes []Change, doubt bool) {
	has := func(d Direction) string {
		switch {
		case slices.ContainsFunc(changes, func(c Change) bool { return c.Direction == d }):
			return exact.Yes.String()
		case doubt && s.doubts[d]:
			return exact.Unknown.String()
		}
		return exact.No.String()
	}
	s.Changes, s.Wider, s.Narrower = changes, has(Widens), has(Narrows)
	s.Verdict = verdict(parsed(s.Wider), parsed(s.Narrower))
}

// Settle joins the verdicts of the surfaces again.
func (r *Report) Settle() { r.Verdict = overall(r.Surfaces) }

func parsed(word string) exact.Verdict {
	return map[string]exact.Verdict{"yes": exact.Yes, "no": exact.No}[word]
}
