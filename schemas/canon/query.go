package canon

import (
	"strings"
)

const maxQuery = 64 << 10

// maxPairs is where servers begin to drop the rest (PHP's max_input_vars, the
// limit of Node's querystring); and every pair costs in every reading and in the
// record.
const maxPairs = 1000

// parseQuery decodes a query as application/x-www-form-urlencoded: "&" between
// pairs, "+" is a space. What servers split differently is refused: ";", and
// escapes that are none. Values of one key are gathered in order.
func parseQuery(raw string) (map[string][]string, *Error) {
	q := map[string][]string{}
	if raw == "" {
		return q, nil
	}
	if len(raw) > maxQuery {
		return nil, refuseStatus(statusURITooLong, "the query is longer than %d bytes", maxQuery)
	}
	if err := checkQueryBytes(raw); err != nil {
		return nil, err
	}
	if strings.Count(raw, "&") >= maxPairs {
		return nil, refuseStatus(statusURITooLong, "the query has more than %d pairs", maxPairs)
	}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		key, ok := decodeQuery(k)
		value, valid := decodeQuery(v)
		if !ok || !valid {
			return nil, refuse("the query holds a malformed percent escape")
		}
		q[key] = append(q[key], value)
	}
	return q, nil
}

func checkQueryBytes(raw string) *Error {
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c <= ' ' || c == 0x7f:
			return refuse("the query holds a space or a control character")
		case c >= 0x80:
			return refuse("the query holds a character that is not percent-encoded")
		case c == ';' || c == '#':
			return refuse("the query holds %q, which servers read differently", string(rune(c)))
		}
	}
	return nil
}

func decodeQuery(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return Escape(s), true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b = append(b, ' ')
		case '%':
			c, ok := unhexPair(s[i+1:])
			if !ok {
				return "", false
			}
			b = append(b, c)
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return Escape(string(b)), true
}
