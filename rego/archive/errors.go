package archive

import "fmt"

// The codes of refused bundles; `openshell-policy explain CODE` says more.
const (
	CodeFormat    = "OSP5001" // no gzipped tar, or a truncated one
	CodeSize      = "OSP5002" // too large, packed or unpacked
	CodeEntry     = "OSP5003" // an entry that no bundle holds
	CodeManifest  = "OSP5004" // manifest missing or not ours
	CodeUnsigned  = "OSP5005" // no signature where one is required
	CodeSignature = "OSP5006" // a signature that no trusted key made
	CodeTampered  = "OSP5007" // content that differs from what was signed
	CodeSerial    = "OSP5008" // older than what was in force
	CodeExpired   = "OSP5009" // past its time
	CodeName      = "OSP5010" // another bundle than the one asked for
	CodeSource    = "OSP5012" // where bundles come from cannot be reached
	CodeLayout    = "OSP5013" // what is there is no bundle
	CodeContent   = "OSP5011" // modules or data that do not belong
)

// Error is a refused bundle.
type Error struct {
	Code   string // OSP50xx
	Detail string
	Hint   string // what to do next; may be empty
}

// Error returns the code and what is wrong.
func (e *Error) Error() string { return e.Code + ": " + e.Detail }

func refuse(code, hint, format string, args ...any) error {
	return &Error{Code: code, Hint: hint, Detail: fmt.Sprintf(format, args...)}
}

// Codes lists the codes of this package.
func Codes() []string {
	return []string{
		CodeFormat, CodeSize, CodeEntry, CodeManifest, CodeUnsigned, CodeSignature, CodeTampered, CodeSerial,
		CodeExpired, CodeName, CodeContent, CodeSource, CodeLayout,
	}
}
