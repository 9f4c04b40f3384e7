package lint

import (
	"strings"

	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// knowledge is the tables that checks look into, with patterns parsed once.
type knowledge struct {
	hosts    map[string][]knownHost // by kind
	paths    map[string][]knownPath
	words    map[string]map[string]tables.Known // kind, then word
	services []service
}

type knownHost struct {
	tables.Known
	host glob.Pattern
}

type knownPath struct {
	tables.Known
	path glob.Pattern
}

// service is a well-known service with its patterns parsed.
type service struct {
	tables.Service
	anchors           []glob.Pattern
	needs, keepDenied []need
}

type need struct {
	tables.Need
	host  glob.Pattern
	paths []glob.Pattern
}

func newKnowledge() *knowledge {
	k := &knowledge{hosts: map[string][]knownHost{}, paths: map[string][]knownPath{}, words: map[string]map[string]tables.Known{}}
	for _, kind := range []string{tables.KnownBucket, tables.KnownForge, tables.KnownExfiltration, tables.KnownCredentialed} {
		for _, e := range tables.KnownOf(kind) {
			k.hosts[kind] = append(k.hosts[kind], knownHost{e, hostGlob(e.Pattern)})
		}
	}
	for _, kind := range []string{
		tables.KnownExecutables, tables.KnownSystem, tables.KnownStartup, tables.KnownProgramFile,
		tables.KnownNeeded, tables.KnownDirectory, tables.KnownLink,
	} {
		for _, e := range tables.KnownOf(kind) {
			k.paths[kind] = append(k.paths[kind], knownPath{e, fileGlob(e.Pattern)})
		}
	}
	for _, kind := range []string{
		tables.KnownPrivateLabel, tables.KnownPrivateTLD, tables.KnownPort, tables.KnownInterpreter, tables.KnownPrivileged,
		tables.KnownNotHTTP, tables.KnownOpensThrough, tables.KnownClient,
	} {
		k.words[kind] = map[string]tables.Known{}
		for _, e := range tables.KnownOf(kind) {
			k.words[kind][e.Pattern] = e
		}
	}
	for _, s := range tables.Services() {
		k.services = append(k.services, newService(s))
	}
	return k
}

func newService(s tables.Service) service {
	out := service{Service: s, needs: parseNeeds(s.Needs), keepDenied: parseNeeds(s.KeepDenied)}
	for _, a := range s.Anchors {
		out.anchors = append(out.anchors, hostGlob(a))
	}
	return out
}

func parseNeeds(needs []tables.Need) []need {
	var out []need
	for _, n := range needs {
		parsed := need{Need: n, host: hostGlob(n.Host)}
		for _, p := range n.Paths {
			parsed.paths = append(parsed.paths, urlGlob(p))
		}
		out = append(out, parsed)
	}
	return out
}

// The tables hold patterns that parse, which a test holds.
func hostGlob(src string) glob.Pattern { p, _ := glob.Host(src); return p }
func fileGlob(src string) glob.Pattern { p, _ := glob.FilePath(src); return p }
func urlGlob(src string) glob.Pattern  { p, _ := glob.URLPath(src); return p }

// host finds the entry of a kind whose hosts are those of the pattern, at least in
// part.
func (k *knowledge) host(kind string, p glob.Pattern) (tables.Known, bool) {
	for _, e := range k.hosts[kind] {
		if check.HostsMeet(e.host, p) {
			return e.Known, true
		}
	}
	return tables.Known{}, false
}

// path finds the entry of a kind that a path glob matches.
func (k *knowledge) path(kind string, p glob.Pattern) (tables.Known, bool) {
	for _, e := range k.paths[kind] {
		if pathsMeet(e.path, p) {
			return e.Known, true
		}
	}
	return tables.Known{}, false
}

// privateName tells whether hosts of a name lie in private networks by all that
// names say, and why.
func (k *knowledge) privateName(host glob.Pattern) (why string, ok bool) {
	labels := host.Segments
	if len(labels) == 0 {
		return "", false
	}
	if last, literal := labels[len(labels)-1].Literal(); literal {
		if e, known := k.words[tables.KnownPrivateTLD][last]; known && (last != "arpa" || strings.HasSuffix(host.Source, "home.arpa")) {
			return "." + last + " is " + e.Reason, true
		}
	}
	for _, l := range labels[:max(len(labels)-1, 0)] {
		text, literal := l.Literal()
		if e, known := k.words[tables.KnownPrivateLabel][text]; literal && known {
			return `"` + text + `" is ` + e.Reason, true
		}
	}
	return "", false
}
