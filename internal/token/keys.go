package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Algorithm is a signature algorithm of RFC 7518 section 3.1.
type Algorithm string

// The supported algorithms.
const (
	ES256 Algorithm = "ES256" // the default: short tokens, quick to sign
	RS256 Algorithm = "RS256" // for verifiers that know nothing else
)

func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256, jose.RS256}
}

// keyRing is the content of the key file. The next key is published before it is used, so that a worker, which gets the
// public keys once at its start, also trusts tokens signed after a later rotation.
type keyRing struct {
	Current jose.JSONWebKey `json:"current"`
	Next    jose.JSONWebKey `json:"next"`
	Retired []retiredKey    `json:"retired,omitempty"`
}

type retiredKey struct {
	Key   jose.JSONWebKey `json:"key"`   // the public half
	Until time.Time       `json:"until"` // when the last token it signed has expired
}

// Keys are the signing keys of the service, kept in one file of mode 0600. Other processes may rotate the keys: a change
// of the file is noticed. Safe for concurrent use.
type Keys struct {
	path string
	alg  Algorithm

	mu     sync.Mutex
	ring   keyRing
	public jose.JSONWebKeySet // the public halves of ring
	stamp  time.Time          // of the file that ring was read from
}

// OpenKeys reads the key file at path, and creates it when it is missing. New keys are made for alg ("" = ES256).
func OpenKeys(path string, alg Algorithm) (*Keys, error) {
	switch alg {
	case "":
		alg = ES256
	case ES256, RS256:
	default:
		return nil, fmt.Errorf("token keys: unknown algorithm %q", alg)
	}
	k := &Keys{path: path, alg: alg}
	err := k.reload()
	if errors.Is(err, fs.ErrNotExist) {
		err = k.create()
	}
	if err != nil {
		return nil, fmt.Errorf("token keys: %w", err)
	}
	return k, nil
}

// Rotate retires the current signing key. Tokens that it signed stay good until they expire.
func (k *Keys) Rotate() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.reload()
	if err == nil {
		err = k.rotate()
	}
	if err != nil {
		return fmt.Errorf("rotate token keys: %w", err)
	}
	return nil
}

func (k *Keys) rotate() error {
	next, err := newSigningKey(k.alg)
	if err != nil {
		return err
	}
	now := time.Now()
	ring := keyRing{Current: k.ring.Next, Next: next, Retired: slices.Clone(k.ring.Retired)}
	ring.Retired = slices.DeleteFunc(ring.Retired, func(r retiredKey) bool { return now.After(r.Until) })
	ring.Retired = append(ring.Retired, retiredKey{Key: k.ring.Current.Public(), Until: now.Add(Life)})
	if err := k.write(ring, os.Rename); err != nil {
		return err
	}
	return k.reload()
}

// PublicJWKS returns the public keys as a JWK set (RFC 7517), for NewVerifierFromJWKS.
func (k *Keys) PublicJWKS() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	text, err := json.Marshal(k.public)
	if err != nil {
		panic("token: a key that was parsed cannot be printed: " + err.Error())
	}
	return string(text)
}

func (r *keyRing) public() jose.JSONWebKeySet {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{r.Current.Public(), r.Next.Public()}}
	for _, old := range r.Retired {
		set.Keys = append(set.Keys, old.Key)
	}
	return set
}

// signing returns the key to sign with.
func (k *Keys) signing() (jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.reload(); err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("token keys: %w", err)
	}
	return k.ring.Current, nil
}

// verifying returns the public key with this id.
func (k *Keys) verifying(kid string) (jose.JSONWebKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, ok := find(k.public, kid)
	if !ok && k.reload() == nil { // perhaps rotated by another process
		key, ok = find(k.public, kid)
	}
	return key, ok
}

func find(set jose.JSONWebKeySet, kid string) (jose.JSONWebKey, bool) {
	i := slices.IndexFunc(set.Keys, func(key jose.JSONWebKey) bool { return key.KeyID == kid })
	if i < 0 {
		return jose.JSONWebKey{}, false
	}
	return set.Keys[i], true
}

// reload reads the file if it has changed.
func (k *Keys) reload() error {
	info, err := os.Stat(k.path)
	if err != nil {
		return err
	}
	if info.ModTime().Equal(k.stamp) {
		return nil
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s has mode %#o: the signing key must be readable by its owner only", k.path, mode)
	}
	text, err := os.ReadFile(k.path)
	if err != nil {
		return err
	}
	var ring keyRing
	if err := json.Unmarshal(text, &ring); err != nil {
		return fmt.Errorf("%s: %w", k.path, err)
	}
	for _, key := range []jose.JSONWebKey{ring.Current, ring.Next} {
		if !key.Valid() || key.IsPublic() || key.KeyID == "" || !slices.Contains(algorithms(), jose.SignatureAlgorithm(key.Algorithm)) {
			return fmt.Errorf("%s holds no signing key", k.path)
		}
	}
	k.ring, k.public, k.stamp = ring, ring.public(), info.ModTime()
	return nil
}

func (k *Keys) create() error {
	var ring keyRing
	var err error
	if ring.Current, err = newSigningKey(k.alg); err != nil {
		return err
	}
	if ring.Next, err = newSigningKey(k.alg); err != nil {
		return err
	}
	// A link, unlike a rename, does not replace what another process has created meanwhile.
	if err := k.write(ring, os.Link); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return k.reload()
}

// write writes ring beside the file and lets place put it there, whole or not at all.
func (k *Keys) write(ring keyRing, place func(from, to string) error) error {
	text, err := json.Marshal(ring)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(k.path), ".token-keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already after a rename
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return place(tmp.Name(), k.path)
}

func newSigningKey(alg Algorithm) (jose.JSONWebKey, error) {
	key := jose.JSONWebKey{Algorithm: string(alg), Use: "sig"}
	var err error
	switch alg {
	case RS256:
		key.Key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		key.Key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return key, err
	}
	thumb, err := key.Thumbprint(crypto.SHA256) // RFC 7638
	if err != nil {
		return key, err
	}
	key.KeyID = base64.RawURLEncoding.EncodeToString(thumb)
	return key, nil
}
