package tables

import "slices"

// Known is what is known of a host, a port, a program or a path.
type Known struct {
	Kind    string `json:"kind"`
	Pattern string `json:"pattern"` // of a host or path as in a policy; a number; a name
	Reason  string `json:"reason"`
	Instead string `json:"instead"` // what to write instead; its meaning is the kind's
}

// The kinds of Known.
const (
	KnownBucket       = "bucket"        // host: anybody stores there what others read
	KnownForge        = "forge"         // host: everybody's things below paths
	KnownExfiltration = "exfiltration"  // host: made for taking data out
	KnownCredentialed = "credentialed"  // host: requests carry a credential
	KnownPrivateLabel = "private-label" // label of hosts with private addresses
	KnownPrivateTLD   = "private-tld"   // last label of hosts with private addresses
	KnownPort         = "port"          // port: another protocol than HTTP
	KnownInterpreter  = "interpreter"   // program family: does what a text says
	KnownPrivileged   = "privileged"    // program family: reaches beyond the sandbox
	KnownNotHTTP      = "not-http"      // program: speaks another protocol
	KnownOpensThrough = "opens-through" // program: another file opens its connections
	KnownLink         = "link"          // directory: a symbolic link
	KnownExecutables  = "executables"   // path: stands for what is executed
	KnownSystem       = "system"        // path: stands for what configures the system
	KnownStartup      = "startup"       // path: run or read by a later program
	KnownProgramFile  = "program-file"  // path: part of a program, with a secret's name
	KnownNeeded       = "needed"        // path: programs need it in order to run
	KnownDirectory    = "directory"     // path glob: a directory
	KnownClient       = "client"        // program: needs one of the services in Instead
)

var known = entries[Known]("known.json")

// KnownOf lists what is known of one kind.
func KnownOf(kind string) []Known {
	var list []Known
	for _, k := range known() {
		if k.Kind == kind {
			list = append(list, k)
		}
	}
	return slices.Clip(list)
}
