package parse

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/schemas"
)

// hint says what to type instead of what breaks the schema.
func (d *Document) hint(code, field string, v schemas.Violation, n *yaml.Node) string {
	written := n.Value
	switch {
	case code == "OSP1010" && written != strings.ToUpper(written) && !slices.Contains([]string{"CONNECT", "TRACE"}, strings.ToUpper(written)):
		return "write " + strings.ToUpper(written)
	case code == "OSP1010":
		return "remove it"
	case code == "OSP1007" && len(v.Allowed) == 0:
		return "remove the field"
	case code == "OSP1007":
		return oneOf(written, v.Allowed)
	case code == "OSP1008":
		return missingHint(v.Message)
	case len(v.Allowed) > 0:
		return oneOf(written, v.Allowed)
	case v.Keyword == "type" && field == "host" && n.Kind == yaml.SequenceNode:
		return "write a rule for each host"
	case v.Keyword == "type":
		return typeHint(v.Message, n)
	case v.Keyword == "pattern":
		return patternHint(field, written)
	case field == "ports" && (v.Keyword == "minimum" || v.Keyword == "maximum"):
		return "write a port from 1 to 65535"
	case v.Keyword == "not" && field == "name":
		return "leave the name out, or choose another one"
	case v.Keyword == "minItems" || v.Keyword == "minProperties":
		return "add an entry, or remove the field"
	}
	return d.reference()
}

func (d *Document) reference() string {
	return "`openshell-policy schema " + d.Kind + "` describes every field"
}

// missingHint takes the field out of the message, which quotes it.
func missingHint(message string) string {
	if parts := strings.Split(message, `"`); len(parts) == 3 {
		return fmt.Sprintf("add `%s: ...`", parts[1])
	}
	return "add it"
}

// typeHint compares what the schema wants with how the value is written.
func typeHint(message string, n *yaml.Node) string {
	want, _, _ := strings.Cut(message, ", got")
	scalar := n.Kind == yaml.ScalarNode
	switch {
	case n.Tag == "!!null":
		return "give it a value, or remove the field"
	case scalar && strings.Contains(want, "a list"):
		return fmt.Sprintf("write a list: [%s]", quoted(n.Value))
	case scalar && strings.Contains(want, "a string"):
		return "quote it: " + quoted(n.Value)
	case scalar && strings.Contains(want, "true or false"):
		return booleanHint(n.Value)
	case scalar && strings.Contains(want, "number"):
		return numberHint(n.Value)
	case strings.Contains(want, "a string"):
		return "quote the text, so that brackets and `: ` in it are part of it"
	case strings.Contains(want, "a list"):
		return "begin each entry with `- `"
	case strings.Contains(want, "a mapping"):
		return "write its fields as `field: value`, one a line"
	}
	return "write " + strings.TrimPrefix(want, "want ")
}

func quoted(s string) string {
	if r := []rune(s); len(r) > 60 {
		return `"..."`
	}
	return strconv.Quote(s)
}

func booleanHint(written string) string {
	switch strings.ToLower(written) {
	case "yes", "y", "on", "1", "true":
		return "write true, without quotes"
	case "no", "n", "off", "0", "false":
		return "write false, without quotes"
	}
	return "write true or false, without quotes"
}

func numberHint(written string) string {
	if n, err := strconv.ParseInt(strings.TrimSpace(written), 0, 32); err == nil {
		return fmt.Sprintf("write %d, without quotes", n)
	}
	return "write a whole number, without quotes"
}

// patternHint knows the common mistakes of fields that have a grammar.
func patternHint(field, written string) string {
	switch field {
	case "host":
		return hostHint(written)
	case "paths":
		if u, err := url.Parse(written); err == nil && u.Host != "" {
			return fmt.Sprintf("write %s here, and the name under host", cmp.Or(u.Path, "/"))
		}
		return pathHint(written)
	case "binaries":
		if written != "" && !strings.ContainsAny(written, "/~$*") {
			return fmt.Sprintf("write the whole path, such as /usr/bin/%s, or **/%s for any folder", written, written)
		}
		return pathHint(written)
	case "writable", "readonly", "blocked":
		return pathHint(written)
	case "allow_private":
		return rangeHint(written)
	case "allowed_commands", "blocked_commands":
		return "write a command, such as \"git *\""
	case "extends":
		if strings.Contains(written, "/") || strings.HasSuffix(written, ".yaml") || strings.HasSuffix(written, ".yml") {
			return "write the name in that file's metadata, and compile both files together"
		}
		return "write lower-case letters, digits, - and ."
	case "name", "policy", "policies", "with":
		return "write lower-case letters, digits, - and ."
	}
	return "see the field's description in the schema"
}

// hostHint takes a URL apart into the fields it belongs in.
func hostHint(written string) string {
	if _, err := netip.ParsePrefix(written); err == nil {
		return "write a rule for each address: a range of addresses cannot be a host"
	}
	text := written
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || strings.ContainsAny(u.Hostname(), " \t") {
		return "write the name of the host alone, such as api.github.com"
	}
	hint := "write host: " + u.Hostname()
	if scheme := u.Scheme; scheme == "http" && strings.Contains(written, "://") {
		hint += ", scheme: http"
	}
	if u.Scheme == "ws" || u.Scheme == "wss" {
		hint += ", websocket: true"
	}
	if port := u.Port(); port != "" {
		hint += ", ports: [" + port + "]"
	}
	if u.Path != "" && u.Path != "/" {
		hint += fmt.Sprintf(", paths: [%q]", u.Path)
	}
	return hint
}

func pathHint(written string) string {
	if rest, ok := strings.CutPrefix(written, "~/"); ok {
		return fmt.Sprintf("write /home/*/%s and /root/%s", rest, rest)
	}
	if strings.Contains(written, "$") {
		return "write the path itself: variables are not replaced"
	}
	bare := strings.TrimLeft(strings.TrimPrefix(written, "./"), " ")
	for strings.HasPrefix(bare, "../") {
		bare = bare[len("../"):]
	}
	if name, ok := strings.CutPrefix(bare, "**"); ok && name != "" {
		return fmt.Sprintf("write **/*%s, with ** as a segment of its own", name)
	}
	if bare == "" || bare == "." || bare == ".." {
		return "write an absolute path, such as /workspace/**"
	}
	return fmt.Sprintf("write /%s, or **/%s for any depth", bare, bare)
}

func rangeHint(written string) string {
	if a, err := netip.ParseAddr(written); err == nil {
		return fmt.Sprintf("write %s/%d", a, a.BitLen())
	}
	return "write a range of addresses, such as 10.0.0.0/8"
}
