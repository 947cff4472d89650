package arr

import (
	"errors"
	"fmt"
)

// Code is a machine-readable error code of the contract; httpapi maps each to one HTTP status, in one place.
type Code string

// The codes of the data plane (contract sections 3 to 5), and those of what failed later.
const (
	CodeBadRequest            Code = "BadRequest"            // 400
	CodeAPIVersionUnspecified Code = "ApiVersionUnspecified" // 400
	CodeUnsupportedAPIVersion Code = "UnsupportedApiVersion" // 400
	CodeUnauthorized          Code = "Unauthorized"          // 401, body empty on the wire
	CodeForbidden             Code = "Forbidden"             // 403
	CodeNotFound              Code = "NotFound"              // 404
	CodeMethodNotAllowed      Code = "MethodNotAllowed"      // 405
	CodeConflict              Code = "Conflict"              // 409
	CodeSessionConnected      Code = "OtherSessionConnected" // 409, ARR's own name: the session has a viewer already
	CodeSessionEnded          Code = "SessionEnded"          // 410, of what a worker would have served
	CodeUnprocessableEntity   Code = "UnprocessableEntity"   // 422
	CodeTooManyRequests       Code = "TooManyRequests"       // 429, with Retry-After
	CodeInternal              Code = "InternalServerError"   // 500, cause logged and never shown
	CodeNotImplemented        Code = "NotImplemented"        // 501
	CodeUnavailable           Code = "ServiceUnavailable"    // 503
	CodeWorkerStartFailed     Code = "WorkerStartFailed"     // session error: the worker did not come up
	CodeWorkerLost            Code = "WorkerLost"            // session error: the worker crashed or went silent
	CodeCapacity              Code = "InsufficientCapacity"  // session error: no room for it within the wait

	CodeStorageAccess       Code = "DelegatedResourceAccessError" // 403: no signature was given, and no account is linked
	CodeInputContainer      Code = "InputContainerError"          // conversion error: the source could not be read
	CodeOutputContainer     Code = "OutputContainerError"         // conversion error: the asset could not be written
	CodeConversionFailed    Code = "ConversionProcessFailed"      // conversion error: the source could not be converted
	CodeConversionCancelled Code = "ConversionCancelled"          // conversion error: it was cancelled
)

// HTTPStatus is the one place where an error becomes a status. Codes that only sessions and
// conversions carry, and unknown ones, are 500.
func (c Code) HTTPStatus() int {
	switch c {
	case CodeBadRequest, CodeAPIVersionUnspecified, CodeUnsupportedAPIVersion:
		return 400
	case CodeUnauthorized:
		return 401
	case CodeForbidden, CodeStorageAccess:
		return 403
	case CodeNotFound:
		return 404
	case CodeMethodNotAllowed:
		return 405
	case CodeConflict, CodeSessionConnected:
		return 409
	case CodeSessionEnded:
		return 410
	case CodeUnprocessableEntity:
		return 422
	case CodeTooManyRequests:
		return 429
	case CodeNotImplemented:
		return 501
	case CodeUnavailable:
		return 503
	default:
		return 500
	}
}

// Error is the only error whose text reaches a user. Anything else is answered as CodeInternal.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Target  string `json:"target,omitempty"` // the member or parameter at fault, when there is one
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Errorf makes an *Error with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of the *Error in err's chain, "" for nil, and CodeInternal for any other error.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
