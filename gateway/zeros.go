package gateway

import (
	"strings"

	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

// A counter that begins with its first events has no increase that rate() could
// see: the first burst, the one that matters most, would be invisible. So the
// series that events will count in are there at zero as soon as a policy is.

// codesOf are the codes that a policy denies each kind with.
func codesOf(kind schemas.Kind) []schemas.Code {
	switch kind {
	case schemas.KindNetwork:
		return []schemas.Code{
			schemas.CodeDeniedRule, schemas.CodeHostNotInPolicy, schemas.CodePortNotAllowed, schemas.CodeSchemeNotAllowed, schemas.CodeBinaryNotAllowed,
			schemas.CodeMethodNotAllowed, schemas.CodePathNotAllowed, schemas.CodeQueryNotAllowed, schemas.CodeWebSocketNotAllowed,
			schemas.CodePrivateAddress, schemas.CodeBadRequest, schemas.CodeAuthorityMismatch, schemas.CodeLimitExceeded,
		}
	case schemas.KindFile:
		return []schemas.Code{schemas.CodeBlockedPath, schemas.CodeNotReadable, schemas.CodeNotWritable}
	case schemas.KindExec:
		return []schemas.Code{schemas.CodeBlockedCommand, schemas.CodeCommandNotAllowed, schemas.CodeUntrustedProgram}
	}
	return nil
}

// maxExpectedHosts bounds the hosts whose series are made before their first
// request, and so what policies with thousands of rules cost.
const maxExpectedHosts = 500

// expectRequests makes the series of requests to each host that a rule names.
func (m *metrics) expectRequests(gen Generation) {
	lister, ok := gen.(interface {
		Rules(policy string) []rego.RuleInfo
	})
	if !ok {
		return
	}
	m.expectHost("other", nil)
	hosts := map[string]bool{}
	for _, p := range gen.Policies() {
		if p.Rules > maxExpectedHosts {
			continue
		}
		for _, r := range lister.Rules(p.Name) {
			if r.Host == "" || len(hosts) == maxExpectedHosts {
				continue
			}
			hosts[r.Host] = true
			m.expectHost(r.Host, r.Methods)
		}
	}
}

func (m *metrics) expectHost(host string, methods []string) {
	if len(methods) == 0 {
		methods = []string{"GET", "POST"}
	}
	for _, method := range methods {
		for _, verdict := range []string{"allowed", "denied"} {
			m.requests.WithLabelValues(host, knownMethod(method), verdict)
		}
	}
}

func kinds() []schemas.Kind {
	return []schemas.Kind{schemas.KindNetwork, schemas.KindFile, schemas.KindExec}
}

// expectPolicies makes the series of violations of each policy. A joined policy
// counts as the one that it stands for.
func (m *metrics) expectPolicies(policies []rego.PolicyInfo) {
	for _, code := range []schemas.Code{schemas.CodeUnknownSandbox, schemas.CodeIdentityMismatch, schemas.CodeBadRequest} {
		m.violations.WithLabelValues("none", string(schemas.KindNetwork), string(code), string(schemas.ModeEnforce))
	}
	for _, p := range policies {
		if strings.HasSuffix(p.Name, ".joined") {
			continue
		}
		for _, kind := range kinds() {
			for _, code := range codesOf(kind) {
				mode := p.Mode
				if !code.Info().AuditLifts {
					mode = schemas.ModeEnforce
				}
				m.violations.WithLabelValues(p.Name, string(kind), string(code), string(mode))
			}
		}
	}
}

// expectActions makes the series of every agent's actions.
func (m *metrics) expectActions() {
	for _, kind := range kinds() {
		for _, verdict := range []string{"allowed", "denied"} {
			for agent := range m.agents {
				m.actions.WithLabelValues(string(kind), verdict, agent)
			}
			m.actions.WithLabelValues(string(kind), verdict, m.knownAgent(""))
		}
	}
}
