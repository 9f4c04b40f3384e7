package remote

import (
	"net/url"
	"strings"
)

// Environ gives the proxy variables of an environment the sandbox's identity:
// those that name the gateway, and the usual ones where they are missing. A
// variable that names another proxy stays as it is.
func (c *Client) Environ(env []string, id string) ([]string, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	with := *c.base
	with.User = url.UserPassword(id, token)
	missing := map[string]bool{"HTTP_PROXY": true, "HTTPS_PROXY": true, "http_proxy": true, "https_proxy": true}
	out := make([]string, 0, len(env)+len(missing))
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		delete(missing, name)
		if isProxy(name) && c.names(value) {
			kv = name + "=" + with.String()
		}
		out = append(out, kv)
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		if missing[name] {
			out = append(out, name+"="+with.String())
		}
	}
	return out, nil
}

func isProxy(name string) bool {
	switch strings.ToUpper(name) {
	case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY":
		return true
	}
	return false
}

// names tells whether the value of a proxy variable is the gateway. A name of the
// cluster may be written short and long.
func (c *Client) names(value string) bool {
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Port() != c.base.Port() {
		return false
	}
	ours, theirs := c.base.Hostname(), u.Hostname()
	return ours == theirs || strings.HasPrefix(ours, theirs+".") || strings.HasPrefix(theirs, ours+".")
}
