package schemas

import "strings"

// Code is a stable word for why a decision came out as it did.
type Code string

// The decision codes. The table below describes each; adding one is an ordinary
// change, and none ever vanishes or changes meaning.
const (
	CodeAllowed             Code = "allowed"
	CodeDeniedRule          Code = "denied_rule"
	CodeHostNotInPolicy     Code = "host_not_in_policy"
	CodePortNotAllowed      Code = "port_not_allowed"
	CodeSchemeNotAllowed    Code = "scheme_not_allowed"
	CodeBinaryNotAllowed    Code = "binary_not_allowed"
	CodeMethodNotAllowed    Code = "method_not_allowed"
	CodePathNotAllowed      Code = "path_not_allowed"
	CodeQueryNotAllowed     Code = "query_not_allowed"
	CodeWebSocketNotAllowed Code = "websocket_not_allowed"
	CodeBlockedPath         Code = "blocked_path"
	CodeNotWritable         Code = "not_writable"
	CodeNotReadable         Code = "not_readable"
	CodeCommandNotAllowed   Code = "command_not_allowed"
	CodeBlockedCommand      Code = "blocked_command"
	CodeUntrustedProgram    Code = "untrusted_program"
	CodePrivateAddress      Code = "private_address"
	CodeNoPolicy            Code = "no_policy"
	CodeIdentityRequired    Code = "identity_required"
	CodeUnknownSandbox      Code = "unknown_sandbox"
	CodeBadRequest          Code = "bad_request"
	CodePolicyError         Code = "policy_error"
	CodeIdentityMismatch    Code = "identity_mismatch"
	CodeAuthorityMismatch   Code = "authority_mismatch"
	CodeAuditUnavailable    Code = "audit_unavailable"
	CodeUpstreamError       Code = "upstream_error"
	CodeLimitExceeded       Code = "limit_exceeded"
	CodeExecRace            Code = "exec_race"
	CodeRestartRequired     Code = "restart_required"
)

// CodeInfo describes one code for the gateway, the log and the documentation.
type CodeInfo struct {
	Code Code `json:"code"`
	// Status is the HTTP status the gateway answers with.
	Status int `json:"status"`
	// Reason is what a log line prints in brackets after BLOCKED. It may hold
	// {method}.
	Reason string `json:"reason"`
	// Template is the message, with placeholders in braces; package rego and
	// the Rego library fill it in from the same data.
	Template string `json:"template"`
	// AuditLifts tells whether mode audit lets a request denied with this code
	// pass.
	AuditLifts bool `json:"audit_lifts"`
	// Doc explains the code to a reader of docs/codes.md.
	Doc string `json:"doc"`
}

// Info returns the code's entry in the table; ext_NAME_CODE is what an extension
// denies with, and an unknown code is described as policy_error is.
func (c Code) Info() CodeInfo {
	if info, ok := codeIndex[c]; ok {
		return info
	}
	if strings.HasPrefix(string(c), "ext_") {
		return extensionInfo
	}
	return codeIndex[CodePolicyError]
}

// extensionInfo describes every code that extensions in Rego give.
var extensionInfo = CodeInfo{"", 403, "denied by an extension", "", true, "An extension of the policies denies it; its message says why."}

// Codes returns the table in its documented order.
func Codes() []CodeInfo { return append([]CodeInfo(nil), codeTable...) }

var codeIndex = func() map[Code]CodeInfo {
	m := make(map[Code]CodeInfo, len(codeTable))
	for _, info := range codeTable {
		m[info.Code] = info
	}
	return m
}()

var codeTable = []CodeInfo{
	{CodeAllowed, 200, "", "allowed by {where}", false, "A rule of the policy allows it."},
	{CodeDeniedRule, 403, "denied rule", "denied by {where}", true, "A deny rule of the policy matches. Deny rules come before every allow rule."},
	{CodeHostNotInPolicy, 403, "not in policy", "{host} is not in policy {policy}", true, "No allow rule names the host."},
	{CodePortNotAllowed, 403, "port not allowed", "port {port} is not in [{ports}] of {where}", true, "A rule names the host, but not on this port."},
	{CodeSchemeNotAllowed, 403, "scheme not allowed", "{scheme} on port {port} is not allowed by {where}", true, "A rule names the host and port, but not with this scheme."},
	{CodeBinaryNotAllowed, 403, "binary not allowed", "{binary} may not use {where}", true, "A rule names the destination, but only for other programs, or the program is not known."},
	{CodeMethodNotAllowed, 403, "{method} not allowed", "{method} is not in [{methods}] of {where}", true, "A rule names the destination, but not this method. Where the rule allows reading only, the log says readonly policy."},
	{CodePathNotAllowed, 403, "path not allowed", "{path} matches no path of {where}", true, "A rule allows the method on this host, but not on this path."},
	{CodeQueryNotAllowed, 403, "query not allowed", "query key {key} is missing or does not match {where}", true, "A rule allows the path, but the query string does not satisfy it."},
	{CodeWebSocketNotAllowed, 403, "websocket not allowed", "{where} does not allow WebSocket upgrades", true, "A rule allows the request, but not as a WebSocket upgrade."},
	{CodeBlockedPath, 403, "blocked path", "{path} is blocked by {where}", true, "The path, or a directory above it, is in filesystem.blocked or is a well-known secret."},
	{CodeNotWritable, 403, "not writable", "{path} is not writable under policy {policy}", true, "The path is in no writable entry, or a readonly entry covers it."},
	{CodeNotReadable, 403, "not readable", "{path} is not readable under policy {policy}", true, "The path is in no writable or readonly entry and not in the baseline."},
	{CodeCommandNotAllowed, 403, "command not allowed", "{command} is not in allowed_commands of policy {policy}", true, "No allowed command pattern matches the whole command line."},
	{CodeBlockedCommand, 403, "blocked command", "{command} is blocked by {where}", true, "A blocked command pattern matches, alone or in a pipeline."},
	{CodeUntrustedProgram, 403, "untrusted program", "{program} is not a trusted {name}: the sandbox can change the file or what it loads", true, "The command has an allowed name, but the file behind it can be changed by the sandbox, or a loader variable changes what it runs."},
	{CodePrivateAddress, 403, "private address", "{host} resolves to {address}, which no allow_private of {where} covers", false, "The name resolved to an address that the dial guard refuses."},
	{CodeNoPolicy, 403, "no policy", "policy {policy} is not loaded", false, "The sandbox is bound to a policy that the gateway does not have."},
	{CodeIdentityRequired, 407, "identity required", "the request carries no sandbox identity", false, "The request brought no evidence of a sandbox, so the client was asked for its proxy token. Some clients, git among them, always ask once without; this is no violation."},
	{CodeUnknownSandbox, 407, "unknown sandbox", "the request's credentials are of no running sandbox", false, "The proxy token, or the listener, is of no sandbox that runs."},
	{CodeBadRequest, 400, "bad request", "{detail}", false, "The request is malformed, or two programs could read it differently."},
	{CodePolicyError, 403, "policy error", "the policy could not be evaluated", false, "Evaluation failed, timed out or gave no result. Nothing is allowed then."},
	{CodeIdentityMismatch, 403, "identity mismatch", "the request's identities disagree", false, "Token, socket and address name different sandboxes."},
	{CodeAuthorityMismatch, 421, "authority mismatch", "{detail}", false, "CONNECT, TLS server name and Host do not name the same destination."},
	{CodeAuditUnavailable, 503, "audit unavailable", "the decision could not be recorded", false, "The decision log cannot be written, so nothing is let through."},
	{CodeUpstreamError, 502, "upstream error", "{detail}", false, "The request was allowed, but the upstream could not be reached or answered nonsense."},
	{CodeLimitExceeded, 429, "limit exceeded", "{detail}", false, "The sandbox holds too many connections or sends too many requests."},
	{CodeExecRace, 403, "exec race", "{program} changed between decision and execution", false, "What was executed is not what was judged; it was killed before its first instruction."},
	{CodeRestartRequired, 409, "restart required", "the change needs a restart of the sandbox", false, "The kernel rules of a running sandbox can only be tightened."},
}
