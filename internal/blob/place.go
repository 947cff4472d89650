package blob

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

type kind int

const (
	kindAzure kind = iota
	kindS3
	kindGCS
	kindLocal
)

// place is a container that a client may use, and how.
type place struct {
	kind      kind
	container string // name of the container or bucket; for kindLocal the path below root

	// Azure
	endpoint string   // of the account
	sas      string   // without "?"; "" = linked
	account  *account // of the configuration; nil = named by its host

	root string // of kindLocal
}

// expired is when the place's signature ended, or zero if it has not.
func (p *place) expired(now time.Time) time.Time {
	q, err := url.ParseQuery(p.sas)
	if err != nil {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z", "2006-01-02"} {
		if t, err := time.Parse(layout, q.Get("se")); err == nil && t.Before(now) {
			return t
		}
	}
	return time.Time{}
}

// account is an AzureAccount of the configuration.
type account struct {
	AzureAccount
	base *url.URL // of Endpoint, without a slash at the end
}

func (a *account) linked() bool { return a.Key != "" || a.Identity }

func parseAccount(a AzureAccount) (account, error) {
	if a.Name == "" {
		return account{}, errors.New("name is missing")
	}
	if a.Endpoint == "" {
		a.Endpoint = "https://" + a.Name + DefaultAzureSuffixes()[0]
	}
	u, err := url.Parse(strings.TrimRight(a.Endpoint, "/"))
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.User != nil:
		return account{}, errors.New("endpoint is not a URL of http or https without a query")
	case a.Key != "" && a.Identity:
		return account{}, errors.New("give a key or identity, not both")
	case a.Identity && u.Scheme != "https":
		return account{}, errors.New("an identity needs an endpoint of https")
	}
	if _, err := base64.StdEncoding.DecodeString(a.Key.Reveal()); err != nil {
		return account{}, errors.New("the key is not base64")
	}
	return account{a, u}, nil
}

// The text of contract section 5.
const notLinked = "Error accessing connected storage account due to insufficient permissions. Check if the Mixed Reality resource " +
	"has correct permissions assigned. Documentation on how to link Remote Rendering Accounts to storage can be found here: " +
	"https://docs.microsoft.com/azure/remote-rendering/how-tos/create-an-account#link-storage-accounts."

var (
	// https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
	azureContainer = regexp.MustCompile(`^(\$root|\$web|[a-z0-9](-?[a-z0-9])*)$`)
	azureAccount   = regexp.MustCompile(`^[a-z0-9]{3,24}(-secondary)?(\.z[0-9]{1,2})?$`)
	bucketName     = regexp.MustCompile(`^[a-z0-9A-Z][a-z0-9A-Z._-]{1,220}$`)
)

// resolve decides what a URI and a signature mean, and whether the account may use that.
func (o *Opener) resolve(account arr.AccountID, uri, sas string) (place, error) {
	p, err := o.locate(uri, sas)
	if err != nil || p.sas != "" {
		return p, err // a signature is a right of its own
	}
	for _, r := range o.reserved {
		if overlap(r.name, p.name()) && !slices.Contains(r.accounts, account) {
			return place{}, arr.Errorf(arr.CodeStorageAccess, notLinked)
		}
	}
	return p, nil
}

// reservation is a Reservation of the configuration.
type reservation struct {
	name     string // as place.name has it, or the beginning of such a name
	accounts []arr.AccountID
}

func (o *Opener) parseReservation(r Reservation) (reservation, error) {
	if len(r.Accounts) == 0 {
		return reservation{}, errors.New("accounts is empty")
	}
	var parsed reservation
	for _, text := range r.Accounts {
		id, err := arr.ParseAccountID(text)
		if err != nil {
			return reservation{}, fmt.Errorf("%q is not the id of an account", text)
		}
		parsed.accounts = append(parsed.accounts, id)
	}
	if u, err := url.Parse(r.URI); err == nil && u.RawQuery == "" && u.User == nil {
		if a, below := o.linked(u); a != nil && below == "" {
			parsed.name = a.base.String()
			return parsed, nil
		}
	}
	p, err := o.locate(r.URI, "")
	if err != nil {
		return reservation{}, fmt.Errorf("uri names no linked storage: %w", err)
	}
	parsed.name = p.name()
	return parsed, nil
}

// name is the same for all URIs of a container.
func (p *place) name() string {
	switch p.kind {
	case kindAzure:
		return p.endpoint + "/" + p.container
	case kindS3:
		return "s3://" + p.container
	case kindGCS:
		return "gs://" + p.container
	}
	return "file://" + strings.TrimSuffix(path.Join(filepath.ToSlash(p.root), p.container), "/")
}

// overlap reports whether one of two names is the other's, or is above it.
func overlap(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// locate decides what a URI and a signature mean, and whether the configuration allows that.
func (o *Opener) locate(uri, sas string) (place, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Opaque != "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		// Not %v of err: it has the URI, which may have a signature.
		return place{}, arr.Errorf(arr.CodeBadRequest,
			"The storage container URI must be a URI without credentials, query and fragment; a shared access signature is given apart from it.")
	}
	sas = strings.TrimPrefix(strings.TrimSpace(sas), "?")
	switch u.Scheme {
	case "https", "http":
		return o.resolveAzure(u, sas)
	case "s3", "gs":
		return o.resolveBucket(u, sas)
	case "file":
		return o.resolveLocal(u, sas)
	}
	return place{}, arr.Errorf(arr.CodeBadRequest, "The storage container URI must begin with https://, s3://, gs:// or file://.")
}

func (o *Opener) resolveAzure(u *url.URL, sas string) (place, error) {
	p := place{kind: kindAzure, sas: sas}
	if sas != "" && !isSAS(sas) {
		return place{}, arr.Errorf(arr.CodeBadRequest, "The shared access signature of the storage container has no parameter sig.")
	}
	a, rest := o.linked(u)
	if a != nil {
		p.account, p.endpoint = a, a.base.String()
	} else {
		if !o.isAzureHost(u) {
			return place{}, arr.Errorf(arr.CodeBadRequest,
				"The host of the storage container URI is no Azure Blob storage that this service may use: its name is none of ACCOUNT%s, "+
					"and the configuration (storage.azure.accounts) does not name it.", strings.Join(o.c.Azure.HostSuffixes, ", ACCOUNT"))
		}
		p.endpoint, rest = u.Scheme+"://"+u.Host, strings.TrimPrefix(u.Path, "/")
	}
	p.container = strings.TrimSuffix(rest, "/")
	if !azureContainer.MatchString(p.container) || len(p.container) > 63 {
		return place{}, arr.Errorf(arr.CodeBadRequest,
			"The storage container URI must end in the name of one container; folders in it are given as blobPrefix.")
	}
	if sas == "" && (p.account == nil || !p.account.linked()) {
		return place{}, arr.Errorf(arr.CodeStorageAccess, notLinked)
	}
	return p, nil
}

// linked is the account of the configuration that a URI is in, and the path below it; nil = none.
func (o *Opener) linked(u *url.URL) (*account, string) {
	for i := range o.accounts {
		a := &o.accounts[i]
		if u.Scheme != a.base.Scheme || !strings.EqualFold(u.Host, a.base.Host) {
			continue
		}
		if below, ok := strings.CutPrefix(strings.TrimSuffix(u.Path, "/")+"/", a.base.Path+"/"); ok {
			return a, strings.TrimSuffix(below, "/")
		}
	}
	return nil, ""
}

// isSAS reports whether s is a signed query that a URL can take as it is.
func isSAS(s string) bool {
	q, err := url.ParseQuery(s)
	return err == nil && q.Get("sig") != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '#' || r == '?'
	})
}

func (o *Opener) isAzureHost(u *url.URL) bool {
	if u.Scheme != "https" || u.Port() != "" {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return slices.ContainsFunc(o.c.Azure.HostSuffixes, func(suffix string) bool {
		name, ok := strings.CutSuffix(host, suffix)
		return ok && azureAccount.MatchString(name)
	})
}

func (o *Opener) resolveBucket(u *url.URL, sas string) (place, error) {
	p, allowed, key := place{kind: kindS3, container: u.Host}, o.c.S3.Buckets, "storage.s3.buckets"
	if u.Scheme == "gs" {
		p.kind, allowed, key = kindGCS, o.c.GCS.Buckets, "storage.gcs.buckets"
	}
	if !bucketName.MatchString(p.container) || strings.Trim(u.Path, "/") != "" {
		return place{}, arr.Errorf(arr.CodeBadRequest,
			"The storage container URI must be %s://BUCKET; folders in it are given as blobPrefix.", u.Scheme)
	}
	if sas != "" {
		return place{}, arr.Errorf(arr.CodeBadRequest, "Containers of %s:// take no shared access signature.", u.Scheme)
	}
	if !slices.Contains(allowed, p.container) && !slices.Contains(allowed, "*") {
		return place{}, arr.Errorf(arr.CodeStorageAccess, "The bucket %s is not linked to this service (%s).", p.container, key)
	}
	return p, nil
}

func (o *Opener) resolveLocal(u *url.URL, sas string) (place, error) {
	if u.Host != "" && u.Host != "localhost" {
		return place{}, arr.Errorf(arr.CodeBadRequest, "A storage container URI of this machine is file:///DIRECTORY.")
	}
	if sas != "" {
		return place{}, arr.Errorf(arr.CodeBadRequest, "Containers of file:// take no shared access signature.")
	}
	dir := strings.TrimRight(u.Path, "/")
	if !path.IsAbs(u.Path) || strings.Contains(dir, "\x00") || dir != "" && path.Clean(dir) != dir {
		return place{}, arr.Errorf(arr.CodeBadRequest, "The storage container URI must have an absolute path without \".\", \"..\" and \"//\".")
	}
	dir = filepath.FromSlash(dir)
	for _, root := range o.c.Local.Roots {
		if rel, err := filepath.Rel(root, dir); err == nil && filepath.IsLocal(rel) {
			return place{kind: kindLocal, root: root, container: filepath.ToSlash(rel)}, nil
		}
	}
	return place{}, arr.Errorf(arr.CodeStorageAccess, "The directory %s is not below one of storage.local.roots.", dir)
}
