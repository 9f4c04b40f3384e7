package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/openshell-policy/openshell/rego/archive"
)

// Reporter posts OPA's status messages: what of each bundle is active, and why the
// last one is not.
type Reporter struct {
	URL    string // of the service; /status is appended
	HTTP   HTTP
	Labels map[string]string
	client *http.Client
}

// NewReporter returns a reporter for a status service.
func NewReporter(url string, h HTTP, labels map[string]string) (*Reporter, error) {
	cfg, err := h.tls()
	if err != nil {
		return nil, err
	}
	return &Reporter{URL: url, HTTP: h, Labels: labels, client: &http.Client{Timeout: answerTimeout, Transport: &http.Transport{TLSClientConfig: cfg}}}, nil
}

// Message is the form that OPA's status API takes.
func (r *Reporter) Message(s State) map[string]any {
	name := s.Name
	if name == "" {
		name = "openshell"
	}
	b := map[string]any{
		"name": name, "active_revision": s.Revision, "type": "snapshot", "size": s.Bytes,
		"last_request": s.Requested, "last_successful_request": s.Requested,
		"last_successful_download": s.Downloaded, "last_successful_activation": s.Activated,
	}
	state := "OK"
	if s.Revision == "" {
		state = "NOT_READY"
	}
	if s.Fault != nil {
		state = "ERROR"
		b["code"], b["message"] = "bundle_error", s.Fault.Error()
		var refused *archive.Error
		if errors.As(s.Fault, &refused) {
			b["errors"] = []map[string]string{{"code": refused.Code, "message": refused.Detail}}
		}
	}
	return map[string]any{
		"labels": r.Labels, "bundles": map[string]any{name: b},
		"plugins": map[string]any{"bundle": map[string]string{"state": state}},
	}
}

// Report posts one message.
func (r *Reporter) Report(ctx context.Context, s State) error {
	body, err := json.Marshal(r.Message(s))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL+"/status", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if err := r.HTTP.authorize(req); err != nil {
		return err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s", req.URL.Redacted(), resp.Status)
	}
	return nil
}
