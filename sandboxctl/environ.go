package sandboxctl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Proxied is what clients in a sandbox must be told.
type Proxied struct {
	ID       string // sb-a1b2c3
	ProxyURL string // with the sandbox's token
	CABundle string // PEM file: the system's roots and the gateway's
	GitHTTPS bool   // git@github.com: URLs go over HTTPS, which the gateway can read
}

// caVariables name the file of certificates to trust, each for some client.
var caVariables = []string{
	"SSL_CERT_FILE",       // OpenSSL, Go, Ruby, uv, Rust's native-certs
	"CURL_CA_BUNDLE",      // curl
	"GIT_SSL_CAINFO",      // git
	"REQUESTS_CA_BUNDLE",  // Python requests
	"PIP_CERT",            // pip
	"NODE_EXTRA_CA_CERTS", // Node.js
	"npm_config_cafile",   // npm
	"DENO_CERT",           // Deno
	"CARGO_HTTP_CAINFO",   // cargo
	"AWS_CA_BUNDLE",       // AWS's tools
	"NIX_SSL_CERT_FILE",   // Nix
}

// noProxy is what clients may reach by themselves: what listens in the sandbox.
const noProxy = "localhost,127.0.0.1"

// Environ returns base with the variables that lead clients through the gateway.
// What base says of proxies, and how openshell itself finds its gateway, is left
// out.
func (p Proxied) Environ(base []string) []string {
	env := slices.DeleteFunc(slices.Clone(base), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		return p.replaces(key)
	})
	env = append(env,
		"HTTP_PROXY="+p.ProxyURL, "HTTPS_PROXY="+p.ProxyURL, "http_proxy="+p.ProxyURL, "https_proxy="+p.ProxyURL,
		"NO_PROXY="+noProxy, "no_proxy="+noProxy,
		"NODE_USE_ENV_PROXY=1", // Node.js 24 and later; earlier versions leave it to the client
		"OPENSHELL_SANDBOX_ID="+strings.TrimPrefix(p.ID, "sb-"),
	)
	for _, name := range caVariables {
		env = append(env, name+"="+p.CABundle)
	}
	if p.GitHTTPS {
		env = withGitConfig(env, "url.https://github.com/.insteadOf", "git@github.com:", "ssh://git@github.com/")
	}
	return env
}

func (p Proxied) replaces(key string) bool {
	switch strings.ToUpper(key) {
	case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "NO_PROXY", "NODE_USE_ENV_PROXY":
		return true
	}
	return strings.HasPrefix(key, "OPENSHELL_") || slices.Contains(caVariables, key)
}

// withGitConfig adds values of one key to git's configuration from the
// environment, after those that are there.
func withGitConfig(env []string, key string, values ...string) []string {
	count := 0
	env = slices.DeleteFunc(env, func(kv string) bool {
		text, ok := strings.CutPrefix(kv, "GIT_CONFIG_COUNT=")
		if ok {
			count, _ = strconv.Atoi(text)
		}
		return ok
	})
	for _, v := range values {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", count, key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", count, v))
		count++
	}
	return append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(count))
}
