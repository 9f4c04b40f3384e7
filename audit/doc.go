// Package audit appends and reads decision logs.
package audit
