package canon

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

// deriveHost fills in what follows from scheme, host and port.
func deriveHost(in *schemas.NetworkInput) {
	suffix := ""
	if in.Port != defaultPort(in.Scheme) {
		suffix = ":" + strconv.Itoa(in.Port)
	}
	in.Authority = in.Host
	if suffix != "" {
		in.Authority = in.Host + suffix
		if strings.IndexByte(in.Host, ':') >= 0 {
			in.Authority = "[" + in.Host + "]" + suffix
		}
	}
	i := strings.IndexByte(in.Host, '.')
	if i < 0 || isAddress(in.Host) {
		return
	}
	in.Parent, in.HostParent = in.Authority[i+1:], in.Host[i+1:]
}

func isAddress(host string) bool {
	if c := host[len(host)-1]; (c < '0' || c > '9') && strings.IndexByte(host, ':') < 0 {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// derivePath fills in what follows from the path. Forms that are equal share
// their memory.
func derivePath(in *schemas.NetworkInput) {
	whole := pathForm(in.Path)
	in.Dir, in.Segments = whole.Dir, whole.Segments
	in.Folded = whole
	if folded := trimSlash(lowerASCII(in.Path)); folded != in.Path {
		in.Folded = pathForm(folded)
	}
	in.Split = in.Folded
	if strings.Contains(in.Folded.Path, "%2f") {
		in.Split = pathForm(trimSlash(strings.ReplaceAll(in.Folded.Path, "%2f", "/")))
	}
}

func pathForm(path string) schemas.PathForm {
	f := schemas.PathForm{Path: path, Dir: path, Segments: strings.Split(path[1:], "/")}
	if path[len(path)-1] != '/' {
		f.Dir = path + "/"
	}
	return f
}

func trimSlash(path string) string {
	if len(path) > 1 && path[len(path)-1] == '/' {
		return path[:len(path)-1]
	}
	return path
}

func lowerASCII(s string) string {
	i := 0
	for i < len(s) && (s[i] < 'A' || s[i] > 'Z') {
		i++
	}
	if i == len(s) {
		return s
	}
	b := []byte(s)
	for ; i < len(b); i++ {
		if 'A' <= b[i] && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}
