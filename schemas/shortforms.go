package schemas

import (
	"bytes"
	"encoding/json"
	"strings"
)

// UnmarshalJSON also takes a list of globs alone.
func (q *QueryMatch) UnmarshalJSON(data []byte) error {
	if opensWith(data, '[') {
		*q = QueryMatch{}
		return json.Unmarshal(data, &q.Match)
	}
	type long QueryMatch
	return json.Unmarshal(data, (*long)(q))
}

// UnmarshalJSON also takes the short form "METHOD URL".
func (r *TestRequest) UnmarshalJSON(data []byte) error {
	if opensWith(data, '"') {
		var short string
		if err := json.Unmarshal(data, &short); err != nil {
			return err
		}
		method, url, _ := strings.Cut(strings.TrimSpace(short), " ")
		*r = TestRequest{Method: method, URL: strings.TrimSpace(url)}
		return nil
	}
	type long TestRequest
	return json.Unmarshal(data, (*long)(r))
}

// UnmarshalJSON also takes the command as a list of words, which it quotes into
// shell text that means the same.
func (c *TestCase) UnmarshalJSON(data []byte) error {
	type plain TestCase
	raw := struct {
		*plain
		Command json.RawMessage `json:"command"`
	}{plain: (*plain)(c)}
	if err := json.Unmarshal(data, &raw); err != nil || len(raw.Command) == 0 {
		return err
	}
	if !opensWith(raw.Command, '[') {
		return json.Unmarshal(raw.Command, &c.Command)
	}
	var words []string
	if err := json.Unmarshal(raw.Command, &words); err != nil {
		return err
	}
	for i, word := range words {
		words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	c.Command = strings.Join(words, " ")
	return nil
}

func opensWith(data []byte, c byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && data[0] == c
}
