package ns

// Config is what process 1 is told before it builds anything. Paths are the
// host's.
type Config struct {
	Hostname string
	// Stage is an empty folder on which the new root is put together.
	Stage string
	// Workspace is the folder that the sandbox sees as /workspace; "" an empty one
	// that is gone with the sandbox.
	Workspace string
	// Upper and Work are folders that keep what an overlay over Workspace changes;
	// both "" writes through.
	Upper, Work string
	// Home is where the sandbox's home is, a folder in memory.
	Home string
	// Show are further folders and files of the host that the sandbox sees,
	// read-only, at their own paths.
	Show []string
	// Files are small files that replace the host's, read-only, by path.
	Files map[string]string
	// TmpBytes bounds /tmp, the home and /dev/shm, each.
	TmpBytes int64
	// Limits are the resource limits of every process, by their numbers in
	// setrlimit.
	Limits map[int]uint64
	// Ports are the TCP ports on which the sandbox's connections to any address
	// arrive at the supervisor.
	Ports []int
}

// Workspace is where the sandbox sees its workspace.
const Workspace = "/workspace"

// Listener is a socket of the sandbox's network that the supervisor accepts on.
type Listener struct {
	Port int
	// Any tells that it takes connections to every address, else only to
	// 127.0.0.1.
	Any bool
}

// Command is one program to spawn. Its standard streams travel beside it.
type Command struct {
	Path string // of the program in the sandbox, as execve gets it
	Args []string
	Env  []string
	Dir  string
	TTY  bool // stdin is a terminal that becomes the command's own
}

// Spawned answers a Command.
type Spawned struct {
	PID   int    // as process 1 sees it
	Errno int    // 0 if it runs
	Error string // "" if it runs
}

// Ended tells that a command is no more.
type Ended struct {
	PID    int
	Status int // exit status, or 128 plus the signal
}
