package canon

import (
	"fmt"

	"github.com/openshell-policy/openshell/schemas"
)

// The HTTP statuses of RFC 9110, section 15.5 and 15.6, that say more than that a
// request is bad. This package does no I/O, so it does not import net/http.
const (
	statusBadRequest       = 400
	statusMethodNotAllowed = 405
	statusURITooLong       = 414
	statusNotImplemented   = 501
)

// Error says why something has no canonical form. It is a denial, not a fault:
// Code and Detail are what the client is told.
type Error struct {
	Code   schemas.Code
	Detail string
	// Status is the HTTP status that says more than the code's own: 405, 414 or
	// 501; else 400.
	Status int
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

func refuse(format string, args ...any) *Error {
	return refuseStatus(statusBadRequest, format, args...)
}

func refuseStatus(status int, format string, args ...any) *Error {
	return &Error{Code: schemas.CodeBadRequest, Detail: fmt.Sprintf(format, args...), Status: status}
}
