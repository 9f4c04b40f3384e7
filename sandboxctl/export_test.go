package sandboxctl

// Birth tells processes with one number apart.
var Birth = birth
