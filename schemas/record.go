package schemas

import "time"

// Record is one line of the decision log: OPA's decision-log event (field names
// of logs.EventV1), with what is ours under Custom.
type Record struct {
	Labels     map[string]string     `json:"labels"`
	DecisionID string                `json:"decision_id"`
	Bundles    map[string]BundleInfo `json:"bundles,omitempty"`
	Path       string                `json:"path"` // openshell/decision
	Input      *DecisionInput        `json:"input,omitempty"`
	Result     *Decision             `json:"result,omitempty"`
	Erased     []string              `json:"erased,omitempty"`
	Masked     []string              `json:"masked,omitempty"`
	Metrics    map[string]int64      `json:"metrics,omitempty"` // nanoseconds
	Timestamp  time.Time             `json:"timestamp"`
	Custom     Custom                `json:"custom"`

	// Clean says that secrets were taken out already; it is no part of the log.
	Clean bool `json:"-"`
}

// BundleInfo is a bundle's revision as OPA logs it.
type BundleInfo struct {
	Revision string `json:"revision"`
}

// Custom is our part of a Record. Type tells what the line is: "decision" or,
// after an allowed request was forwarded, one "outcome" with the same
// decision_id.
type Custom struct {
	Type    string   `json:"type"`
	Sandbox string   `json:"sandbox"`
	Agent   string   `json:"agent,omitempty"`
	Policy  string   `json:"policy"`
	Rule    string   `json:"rule,omitempty"`
	Code    Code     `json:"code,omitempty"`
	Mode    Mode     `json:"mode,omitempty"`
	Reason  string   `json:"reason,omitempty"` // as a log line prints it
	Outcome *Outcome `json:"outcome,omitempty"`
	// Admin is set in a record of type "admin".
	Admin *AdminAction `json:"admin,omitempty"`
	// Recovered and Pruned are set in records of these types.
	Recovered *Recovered `json:"recovered,omitempty"`
	Pruned    *Pruned    `json:"pruned,omitempty"`
	Seq       uint64     `json:"seq"`
}

// The values of Custom.Type.
const (
	RecordDecision = "decision"
	RecordOutcome  = "outcome"
	RecordAdmin    = "admin"
	// RecordRecovered is written when a log is opened that was not closed,
	// RecordPruned before old records are deleted.
	RecordRecovered = "recovered"
	RecordPruned    = "pruned"
)

// Recovered is what was found when a log was opened that its writer had not
// closed.
type Recovered struct {
	CutBytes int64  `json:"cut_bytes"` // behind the last whole record
	Unsigned uint64 `json:"unsigned"`  // whole records that no checkpoint covered
	MayLack  uint64 `json:"may_lack"`  // queued records that were lost at most
}

// Pruned is a deletion of old records: all up to number Through.
type Pruned struct {
	Through uint64 `json:"through"`
	Reason  string `json:"reason"` // age, size or command
}

// Outcome is how a forwarded request ended.
type Outcome struct {
	Status     int    `json:"status"` // HTTP status of the upstream; 0 none
	Bytes      int64  `json:"bytes"`  // of the response body
	DurationMS int64  `json:"duration_ms"`
	Error      string `json:"error,omitempty"`
}

// AdminAction is a change that somebody made through the admin API.
type AdminAction struct {
	Action string `json:"action"`           // create-sandbox, end-sandbox, set-policy, apply-policy, delete-policy
	Target string `json:"target"`           // a sandbox's id or a policy's name
	Actor  string `json:"actor"`            // "token", or the subject of the client's certificate
	Detail string `json:"detail,omitempty"` // what it was changed to
	Error  string `json:"error,omitempty"`  // why it was refused; "" done
}
