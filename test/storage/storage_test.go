// Package storage proves against real servers that conversions reach their storage: Azurite for Azure, and servers of the
// protocols of S3 and Google Cloud Storage in this process.
package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/blob"
	"github.com/heliograph/heliograph/internal/blob/blobtest"
)

func opener(t *testing.T, c blob.Config) *blob.Opener {
	t.Helper()
	o, err := blob.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func open(t *testing.T, o *blob.Opener, uri, sas string) *blob.Container {
	t.Helper()
	c, err := o.Open(t.Context(), arr.AccountID("any"), uri, sas)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestAzure(t *testing.T) {
	a := startAzurite(t, nil)
	all := sas.ContainerPermissions{Read: true, List: true, Write: true, Create: true, Add: true, Delete: true}
	bySAS := opener(t, blob.Config{Azure: blob.Azure{Accounts: []blob.AzureAccount{{Name: account, Endpoint: a.endpoint}}}})
	byKey := opener(t, blob.Config{Azure: blob.Azure{Accounts: []blob.AzureAccount{{Name: account, Endpoint: a.endpoint, Key: accountKey}}}})

	t.Run("Signature", func(t *testing.T) {
		uri := a.container(t, "by-sas")
		blobtest.Run(t, blobtest.Fixture{
			Container: open(t, bySAS, uri, "?"+a.sign(t, "by-sas", all, time.Hour)),
			Missing:   open(t, bySAS, a.endpoint+"/missing", a.sign(t, "missing", all, time.Hour)),

			BackslashIsSlash: true,
		})
	})
	t.Run("Key", func(t *testing.T) {
		blobtest.Run(t, blobtest.Fixture{
			Container: open(t, byKey, a.container(t, "by-key"), ""),
			Missing:   open(t, byKey, a.endpoint+"/missing", ""),
			BigSize:   20 << 20,

			BackslashIsSlash: true,
		})
	})
	t.Run("Unlinked", func(t *testing.T) {
		if err := bySAS.Check("any", a.endpoint+"/by-sas", ""); arr.CodeOf(err) != arr.CodeStorageAccess {
			t.Errorf("without a signature: %v, want %s", err, arr.CodeStorageAccess)
		}
	})
	t.Run("ReadOnly", func(t *testing.T) {
		c := open(t, bySAS, a.endpoint+"/by-key", a.sign(t, "by-key", sas.ContainerPermissions{Read: true, List: true}, time.Hour))
		if err := c.Download(t.Context(), "round/trip.bin", io.Discard); err != nil {
			t.Error(err)
		}
		if err := c.List(t.Context(), "", func(string, int64) error { return nil }); err != nil {
			t.Error(err)
		}
		denied(t, "upload", c.Upload(t.Context(), "a", strings.NewReader("a"), "text/plain"), arr.CodeOutputContainer)
		denied(t, "large upload", c.Upload(t.Context(), "a", bytes.NewReader(make([]byte, 20<<20)), "text/plain"), arr.CodeOutputContainer)
	})
	t.Run("WriteOnly", func(t *testing.T) {
		c := open(t, bySAS, a.endpoint+"/by-key", a.sign(t, "by-key", sas.ContainerPermissions{Write: true}, time.Hour))
		for _, size := range []int{1, 20 << 20} { // in one piece, and in blocks
			if err := c.Upload(t.Context(), "write-only", bytes.NewReader(make([]byte, size)), "text/plain"); err != nil {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
		denied(t, "download", c.Download(t.Context(), "round/trip.bin", io.Discard), arr.CodeInputContainer)
		denied(t, "list", c.List(t.Context(), "", nil), arr.CodeInputContainer)
	})
	t.Run("Expired", func(t *testing.T) {
		c := open(t, bySAS, a.endpoint+"/by-key", a.sign(t, "by-key", all, -time.Hour))
		err := c.Download(t.Context(), "round/trip.bin", io.Discard)
		denied(t, "download", err, arr.CodeInputContainer)
		if !strings.Contains(fmt.Sprint(err), "expired at") {
			t.Errorf("got %v, want when the signature expired", err)
		}
	})
	t.Run("Forged", func(t *testing.T) {
		q, err := url.ParseQuery(a.sign(t, "by-sas", all, time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for name, forged := range map[string]string{
			"of another container": q.Encode(),
			"changed":              strings.Replace(q.Encode(), "sp=", "sp=x", 1),
		} {
			denied(t, name, open(t, bySAS, a.endpoint+"/by-key", forged).Download(t.Context(), "round/trip.bin", io.Discard), arr.CodeInputContainer)
		}
	})
	t.Run("WrongKey", func(t *testing.T) {
		o := opener(t, blob.Config{Azure: blob.Azure{Accounts: []blob.AzureAccount{{Name: account, Endpoint: a.endpoint, Key: "d3Jvbmc="}}}})
		denied(t, "download", open(t, o, a.endpoint+"/by-key", "").Download(t.Context(), "round/trip.bin", io.Discard), arr.CodeInputContainer)
	})
}

// denied wants an error that says so, may not be tried again, and has no secret in it.
func denied(t *testing.T, what string, err error, code arr.Code) {
	t.Helper()
	var e *blob.Error
	if !errors.As(err, &e) || e.Reason != blob.Denied || e.User.Code != code || e.Retryable() {
		t.Errorf("%s: got %v, want it denied as %s", what, err, code)
	}
	if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "sig=") || strings.Contains(text, accountKey) {
		t.Errorf("%s: a secret is in %s", what, text)
	}
}

func TestS3(t *testing.T) {
	store := s3mem.New()
	server := httptest.NewServer(gofakes3.New(store).Server())
	defer server.Close()
	if err := store.CreateBucket("models"); err != nil {
		t.Fatal(err)
	}
	o := opener(t, blob.Config{S3: blob.S3{
		Buckets: []string{"models", "missing"}, Endpoint: server.URL, PathStyle: true, AccessKeyID: "id", SecretAccessKey: "key",
	}})
	blobtest.Run(t, blobtest.Fixture{Container: open(t, o, "s3://models", ""), Missing: open(t, o, "s3://missing", "")})
}

func TestGCS(t *testing.T) {
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{Scheme: "http", Host: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: "models"})
	o := opener(t, blob.Config{GCS: blob.GCS{Buckets: []string{"*"}, Endpoint: server.URL(), Anonymous: true}})
	blobtest.Run(t, blobtest.Fixture{Container: open(t, o, "gs://models", ""), Missing: open(t, o, "gs://missing", "")})
}
