package audit

import (
	"strconv"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

// rewordResult writes the message of a decision again from the masked input, by
// the template of its code. What the input does not say is masked.
func rewordResult(r *schemas.Record) {
	if r.Result == nil {
		return
	}
	d := *r.Result
	d.Message = expandTemplate(d.Code.Info().Template, func(key string) string { return said(r, key) })
	if d.Message != r.Result.Message {
		r.Masked = union(r.Masked, []string{"/result/message"})
	}
	r.Result = &d
}

// said is the value of a placeholder as the masked record has it.
func said(r *schemas.Record, key string) string {
	n := r.Input.Network
	switch {
	case key == "where":
		return where(r.Result)
	case key == "policy":
		return r.Result.Policy
	case key == "path" && r.Input.File != nil:
		return orMasked(r.Input.File.Path)
	case n == nil:
		return Masked
	case key == "path":
		return orMasked(n.Path)
	case key == "host":
		return n.Host
	case key == "port":
		return strconv.Itoa(n.Port)
	case key == "scheme":
		return n.Scheme
	case key == "method":
		return n.Method
	}
	return Masked
}

func orMasked(s string) string {
	if s == "" {
		return Masked
	}
	return s
}

func where(d *schemas.Decision) string {
	if d.Source == nil {
		return d.Rule
	}
	return d.Rule + ", " + d.Source.File + ":" + strconv.Itoa(d.Source.Line)
}

// expandTemplate fills {key} placeholders in one pass.
func expandTemplate(template string, value func(key string) string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{")
		key, after, closed := strings.Cut(rest, "}")
		b.WriteString(before)
		if !found || !closed {
			return b.String()
		}
		b.WriteString(value(key))
		template = after
	}
}
