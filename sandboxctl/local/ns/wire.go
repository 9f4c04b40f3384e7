//go:build linux

package ns

// message is what travels between the supervisor and process 1; exactly one
// field is set. Files travel beside it.
type message struct {
	Config  *Config    `json:"config,omitempty"`
	Ready   *ready     `json:"ready,omitempty"`
	Confine *confine   `json:"confine,omitempty"` // and its answer
	Listen  []Listener `json:"listen,omitempty"`
	Spawn   *Command   `json:"spawn,omitempty"`
	Spawned *Spawned   `json:"spawned,omitempty"`
	Ended   *Ended     `json:"ended,omitempty"`
	Signal  *signal    `json:"signal,omitempty"`
	Failed  string     `json:"failed,omitempty"` // why there is no sandbox
}

type ready struct {
	Listeners []Listener // in the order of the files
	Diag      bool       // a socket to ask about connections is the last file
}

type confine struct {
	Config []byte
	Error  string
}

type signal struct{ PID, Number int }
