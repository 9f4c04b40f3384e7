// Package policyset reads policies from files, folders and the embedded library,
// and compiles them: the I/O that the compiler does not do.
package policyset
