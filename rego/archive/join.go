package archive

import (
	"encoding/json"
	"fmt"
	"strings"
)

const policiesDir = "openshell/policies/"

// Join adds a policy of another bundle, of the same process's compiler, to this one:
// its modules and its entry of the index. Nothing that is here is replaced, and
// extensions stay those of this bundle.
func (a *Archive) Join(other *Archive, policy string) error {
	var files []File
	for _, f := range other.Files {
		if strings.HasPrefix(f.Name, policiesDir+policy+"/") {
			files = append(files, f)
		}
	}
	theirs, err := other.data()
	if err != nil {
		return err
	}
	ours, err := a.data()
	if err != nil {
		return err
	}
	entry := theirs.index[policy]
	if len(files) == 0 || entry == nil {
		return fmt.Errorf("join: there is no policy %q", policy)
	}
	if ours.index[policy] != nil {
		return fmt.Errorf("join: there is a policy %q already", policy)
	}
	ours.index[policy] = entry
	text, err := ours.encode()
	if err != nil {
		return err
	}
	for i := range a.Files {
		if a.Files[i].Name == dataName {
			a.Files[i].Data = text
		}
	}
	a.Files = append(a.Files, files...)
	return nil
}

// document is data.json with its index apart.
type document struct {
	rest  map[string]json.RawMessage // of data.openshell
	index map[string]json.RawMessage
}

func (a *Archive) data() (*document, error) {
	for _, f := range a.Files {
		if f.Name != dataName {
			continue
		}
		var root struct {
			OpenShell map[string]json.RawMessage `json:"openshell"`
		}
		if err := json.Unmarshal(f.Data, &root); err != nil {
			return nil, refuse(CodeContent, "", "the bundle's data cannot be read: %v", err)
		}
		d := &document{rest: root.OpenShell, index: map[string]json.RawMessage{}}
		if err := json.Unmarshal(d.rest["index"], &d.index); err != nil {
			return nil, refuse(CodeContent, "", "the bundle's index cannot be read: %v", err)
		}
		return d, nil
	}
	return nil, refuse(CodeContent, "", "the bundle has no data")
}

func (d *document) encode() ([]byte, error) {
	index, err := json.Marshal(d.index)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	d.rest["index"] = index
	return json.Marshal(map[string]any{"openshell": d.rest})
}
