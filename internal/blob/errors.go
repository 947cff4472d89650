package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"

	"github.com/heliograph/heliograph/internal/arr"
)

// Reason is why storage failed.
type Reason int

// The reasons.
const (
	Failed      Reason = iota // anything else
	NotFound                  // no such blob or container
	Denied                    // not authorised, or the signature has expired
	Unreachable               // no connection
	Busy                      // throttled, or a fault of the storage
)

// Error is a failure of the storage. It unwraps to an *arr.Error for the user; Error has more, for the log, and no secret.
type Error struct {
	Reason Reason
	User   *arr.Error
	Detail string // what the storage said, in its own codes
}

func (e *Error) Error() string { return fmt.Sprintf("%v [%s]", e.User, e.Detail) }

// Unwrap returns the *arr.Error.
func (e *Error) Unwrap() error { return e.User }

// Retryable reports whether the same may succeed later.
func (e *Error) Retryable() bool { return e.Reason == Unreachable || e.Reason == Busy }

type operation int

const (
	opRead operation = iota
	opWrite
)

// failure makes an *Error of what a bucket returned. The end of ctx stays what it is.
func (c *Container) failure(ctx context.Context, op operation, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	reason, detail := classify(err)
	code := arr.CodeInputContainer
	if op == opWrite {
		code = arr.CodeOutputContainer
	}
	var text string
	switch reason {
	case NotFound:
		if op == opWrite {
			text = "Could not find the output container in the storage account. Please make sure that its name is correct and that it exists."
			break
		}
		code = arr.CodeNotFound
		text = "Could not find the asset file in the storage account. Please make sure all paths and names are correct and the file is " +
			"uploaded to storage." // contract section 5
	case Denied:
		text = c.denied(op, time.Now())
	case Unreachable:
		text = "Could not reach the storage of the " + op.container() + ". Please make sure that its name is correct."
	case Busy:
		text = "The storage of the " + op.container() + " is too busy or has a fault. Please try again later."
	default:
		text = "The storage of the " + op.container() + " refused the request (" + detail + ")."
	}
	return &Error{Reason: reason, User: arr.Errorf(code, "%s", text), Detail: detail}
}

func (op operation) container() string {
	if op == opWrite {
		return "output container"
	}
	return "input container"
}

// denied says what to look at.
func (c *Container) denied(op operation, now time.Time) string {
	needs := "read and list"
	if op == opWrite {
		needs = "write"
	}
	text := "The storage of the " + op.container() + " denied access. "
	switch expired := c.p.expired(now); {
	case c.p.sas != "" && !expired.IsZero():
		return text + "The shared access signature expired at " + expired.UTC().Format(time.RFC3339) + "."
	case c.p.sas != "":
		return text + "Please make sure that the shared access signature is of this container, is valid now and grants " + needs + "."
	case c.p.kind == kindLocal:
		return text + "Please make sure that this service may " + needs + " there."
	}
	return text + "Please make sure that the account or identity which this service uses is granted " + needs + "."
}

// classify finds the reason, and says in a few words what the storage answered. Only codes and texts of the system are
// shown: messages and URLs of the SDKs may have a signature in them.
func classify(err error) (Reason, string) {
	var (
		azure   *azcore.ResponseError
		api     smithy.APIError
		amazon  interface{ HTTPStatusCode() int }
		google  *googleapi.Error
		useless interface{ NonRetriable() }
		network net.Error
		file    *fs.PathError
		link    *os.LinkError
	)
	hasAmazon := errors.As(err, &amazon) && amazon.HTTPStatusCode() > 0
	switch {
	case errors.As(err, &azure):
		return byStatus(azure.StatusCode, azure.ErrorCode)
	case errors.As(err, &api) && hasAmazon:
		return byStatus(amazon.HTTPStatusCode(), api.ErrorCode())
	case hasAmazon:
		return byStatus(amazon.HTTPStatusCode(), "")
	case errors.As(err, &google):
		return byStatus(google.Code, "")
	case gcerrors.Code(err) == gcerrors.NotFound, errors.Is(err, fs.ErrNotExist):
		return NotFound, "not found"
	case gcerrors.Code(err) == gcerrors.PermissionDenied, errors.Is(err, fs.ErrPermission):
		return Denied, "permission denied"
	case errors.Is(err, errOutside):
		return Failed, errOutside.Error()
	case errors.Is(err, errStalled):
		return Unreachable, errStalled.Error()
	case errors.Is(err, errForbiddenAddress):
		return Unreachable, errForbiddenAddress.Error()
	case errors.As(err, &file):
		return Failed, file.Err.Error() // without the path
	case errors.As(err, &link):
		return Failed, link.Err.Error()
	case errors.As(err, &network):
		return Unreachable, redact(err).Error()
	case errors.As(err, &useless): // what azidentity says where there is no identity
		return Denied, "no credentials"
	}
	return Failed, "no answer that this service understands"
}

// byStatus judges an answer by HTTP status and the storage's own code.
func byStatus(status int, code string) (Reason, string) {
	detail := fmt.Sprintf("status %d %s", status, code)
	switch code {
	case "NoSuchKey", "NoSuchBucket", "BlobNotFound", "ContainerNotFound", "ResourceNotFound":
		return NotFound, detail
	case "AccessDenied", "ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "PublicAccessNotPermitted":
		return Denied, detail
	case "SlowDown", "RequestTimeout", "ServerBusy":
		return Busy, detail
	}
	switch {
	case status == 404:
		return NotFound, detail
	case status == 401, status == 403:
		return Denied, detail
	case status == 408, status == 429, status >= 500:
		return Busy, detail
	}
	return Failed, detail
}

// redact reduces an error to what is known to have no URL in it.
func redact(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return err
}
