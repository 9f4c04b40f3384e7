package archive

import (
	"time"

	"github.com/openshell-policy/openshell/schemas/keys"
)

// Trust says which bundles are taken.
type Trust struct {
	// Keys sign what is taken. With none, Insecure must be set.
	Keys []keys.Public
	// Insecure takes unsigned bundles. A signature that is there is not looked at
	// unless there are keys.
	Insecure bool
	// Name is the only bundle name that is taken; "" takes any.
	Name string
	// MinSerial is the least serial that is taken.
	MinSerial int64
}

// Admit checks signature, name, serial and expiry, in this order. It returns the
// id of the key that signed, "" for a bundle that nobody had to.
func (a *Archive) Admit(t Trust, now time.Time) (keyID string, err error) {
	if len(t.Keys) > 0 || !t.Insecure {
		key, err := a.Verify(t.Keys)
		if err != nil {
			return "", err
		}
		keyID = key.ID
	}
	m := a.Manifest.Metadata
	switch {
	case t.Name != "" && m.Name != t.Name:
		return "", refuse(CodeName, "compile it with --name "+t.Name, "the bundle is named %q, not %q", m.Name, t.Name)
	case m.Serial < t.MinSerial:
		return "", refuse(CodeSerial, "an intended rollback is a new bundle with a higher --serial", "serial %d is lower than %d, which was in force", m.Serial, t.MinSerial)
	case !m.Expires.IsZero() && !now.Before(m.Expires):
		return "", refuse(CodeExpired, "compile it again with a later --expires", "the bundle expired at %s", m.Expires.UTC().Format(time.RFC3339))
	}
	return keyID, nil
}
