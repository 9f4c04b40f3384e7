package export

import (
	"bufio"
	"encoding/json"
	"strings"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/schemas"
)

// ocsfVersion is the version of the Open Cybersecurity Schema Framework that the
// events follow (schema.ocsf.io). Version 2 drops class 4002.
const ocsfVersion = "1.5.0"

// The classes, and what their type_uid begins with.
const (
	classFile    = 1001
	classProcess = 1007
	classNetwork = 4001
	classHTTP    = 4002
)

type ocsf struct{ w *bufio.Writer }

func (o *ocsf) Close() error { return o.w.Flush() }

// Write writes the event of a decision or an outcome; other records have no
// class and are left out.
func (o *ocsf) Write(e *query.Event) error {
	r, err := e.Record()
	if err != nil {
		return err
	}
	event := ocsfEvent(e, r)
	if event == nil {
		return nil
	}
	line, err := json.Marshal(event)
	if err != nil {
		return err
	}
	_, _ = o.w.Write(audit.SafeJSON(line))
	return o.w.WriteByte('\n')
}

// object is a JSON object; encoding/json sorts its members.
type object map[string]any

func ocsfEvent(e *query.Event, r *schemas.Record) object {
	event := object{
		"time": r.Timestamp.UnixMilli(), "message": audit.Action(r.Input),
		"metadata": object{
			"version": ocsfVersion, "uid": r.DecisionID, "log_name": e.Log, "sequence": e.Seq, "profiles": []string{"security_control"},
			"product": object{"name": "OpenShell", "vendor_name": "OpenShell"},
		},
		"unmapped": unmapped(r),
	}
	switch {
	case r.Custom.Type == schemas.RecordOutcome && r.Custom.Outcome != nil:
		outcome(event, r)
		return event
	case r.Custom.Type != schemas.RecordDecision || r.Input == nil:
		return nil
	case r.Input.Network != nil:
		network(event, r, r.Input.Network)
	case r.Input.File != nil:
		file(event, r, r.Input.File)
	case r.Input.Exec != nil && len(r.Input.Exec.Commands) > 0:
		process(event, r, r.Input.Exec)
	default:
		return nil
	}
	verdict(event, e, r)
	return event
}

func unmapped(r *schemas.Record) object {
	c := &r.Custom
	u := object{"code": c.Code, "rule": c.Rule, "mode": c.Mode, "sandbox": c.Sandbox, "agent": c.Agent, "policy": c.Policy}
	if r.Result != nil && r.Result.Source != nil {
		u["source"] = r.Result.Source
	}
	if len(r.Masked)+len(r.Erased) > 0 {
		u["masked"], u["erased"] = r.Masked, r.Erased
	}
	return u
}

func class(event object, uid, activity int) {
	event["class_uid"], event["category_uid"], event["activity_id"], event["type_uid"] = uid, uid/1000, activity, uid*100+activity
}

// verdict fills in what the security_control profile asks for: action 1 allowed,
// 2 denied; disposition 1 allowed, 2 blocked, 17 logged.
func verdict(event object, e *query.Event, r *schemas.Record) {
	event["severity_id"], event["action_id"], event["disposition_id"], event["status_id"] = 1, 1, 1, 1
	switch e.Fields.Verdict() {
	case "deny":
		event["severity_id"], event["action_id"], event["disposition_id"], event["status_id"] = 3, 2, 2, 2
	case "audit":
		event["severity_id"], event["disposition_id"] = 3, 17
	}
	if d := r.Result; d != nil {
		event["status_code"], event["status_detail"] = d.Code, d.Message
		event["policy"] = object{"name": d.Policy, "version": d.Revision}
		event["firewall_rule"] = object{"uid": d.Rule, "name": d.Rule}
	}
}

func sandbox(r *schemas.Record) object {
	return object{"uid": r.Custom.Sandbox, "name": r.Custom.Sandbox, "type_id": 99, "type": "sandbox"}
}

var httpActivity = map[string]int{
	"CONNECT": 1, "DELETE": 2, "GET": 3, "HEAD": 4, "OPTIONS": 5, "POST": 6, "PUT": 7, "TRACE": 8, "PATCH": 9,
}

func network(event object, r *schemas.Record, n *schemas.NetworkInput) {
	event["src_endpoint"] = sandbox(r)
	event["dst_endpoint"] = object{"hostname": n.Host, "port": n.Port}
	if n.Method == "CONNECT" || n.Method == "" {
		activity := 1 // open
		if r.Result == nil || !r.Result.Passes() {
			activity = 5 // refuse
		}
		class(event, classNetwork, activity)
		return
	}
	activity := httpActivity[n.Method]
	if activity == 0 {
		activity = 99
	}
	class(event, classHTTP, activity)
	url := object{"scheme": n.Scheme, "hostname": n.Host, "port": n.Port, "path": n.Path}
	event["http_request"] = object{"http_method": n.Method, "url": url}
}

// outcome is an HTTP event that says how the request with the same uid ended.
func outcome(event object, r *schemas.Record) {
	o := r.Custom.Outcome
	class(event, classHTTP, 0)
	event["src_endpoint"] = sandbox(r)
	event["severity_id"], event["status_id"], event["duration"] = 1, 1, o.DurationMS
	event["http_response"] = object{"code": o.Status, "length": o.Bytes}
	event["message"] = "outcome of " + r.DecisionID
	if o.Error != "" || o.Status >= 500 {
		event["severity_id"], event["status_id"], event["status_detail"] = 2, 2, o.Error
	}
}

var fileActivity = map[schemas.FileOp]int{
	schemas.OpCreate: 1, schemas.OpMknod: 1, schemas.OpLink: 1, schemas.OpRead: 2, schemas.OpExec: 2, schemas.OpWrite: 3,
	schemas.OpTruncate: 3, schemas.OpDelete: 4, schemas.OpRename: 5, schemas.OpUtimes: 6, schemas.OpXattr: 6, schemas.OpChmod: 7,
	schemas.OpChown: 7, schemas.OpStat: 8, schemas.OpList: 14,
}

func file(event object, r *schemas.Record, f *schemas.FileInput) {
	activity := fileActivity[f.Op]
	if activity == 0 {
		activity = 99
	}
	class(event, classFile, activity)
	event["actor"] = object{"app_name": r.Custom.Agent}
	event["device"] = object{"uid": r.Custom.Sandbox, "type_id": 99, "type": "sandbox"}
	event["file"] = fileObject(f.Path)
	if f.Target != nil {
		event["file_result"] = fileObject(f.Target.Path)
	}
}

func fileObject(path string) object {
	return object{"path": path, "name": path[strings.LastIndexByte(path, '/')+1:], "type_id": 0}
}

func process(event object, r *schemas.Record, x *schemas.ExecInput) {
	class(event, classProcess, 1)
	actor := object{"app_name": r.Custom.Agent}
	if x.Parent != "" {
		actor["process"] = object{"file": fileObject(x.Parent)}
	}
	event["actor"] = actor
	event["device"] = object{"uid": r.Custom.Sandbox, "type_id": 99, "type": "sandbox"}
	event["process"] = object{
		"cmd_line": strings.TrimPrefix(audit.Action(r.Input), "EXEC "), "name": x.Commands[0].Program,
		"file": fileObject(x.Commands[0].Path), "working_directory": x.Commands[0].Cwd,
	}
}
