package conversion

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/heliograph/heliograph/internal/arr"
)

// Sealer encrypts the credentials of conversions that wait or run, so that the database, and what is copied of it, holds
// none in clear. Safe for concurrent use.
type Sealer struct{ aead cipher.AEAD }

const sealKeySize = 32 // AES-256

// OpenSealer reads the key file at path (mode 0600), making it if there is none.
func OpenSealer(path string) (*Sealer, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createSealKey(path); err != nil {
			return nil, fmt.Errorf("make key of credentials: %w", err)
		}
		key, err = os.ReadFile(path) // which may be that of another process
	}
	if err != nil {
		return nil, fmt.Errorf("read key of credentials: %w", err)
	}
	if len(key) != sealKeySize {
		return nil, fmt.Errorf("key of credentials %s has %d bytes, want %d", path, len(key), sealKeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead}, nil
}

// createSealKey makes the file whole or not at all, and leaves one that is there.
func createSealKey(path string) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".conversion-key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	var key [sealKeySize]byte
	_, _ = rand.Read(key[:]) // never fails
	_, err = tmp.Write(key[:])
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// seal encrypts c for the conversion of that key; it is nil when there is nothing to hide.
func (s *Sealer) seal(key arr.ConversionKey, c Credentials) ([]byte, error) {
	if c == (Credentials{}) {
		return nil, nil
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return s.aead.Seal(nil, nil, text, []byte(key.String())), nil
}

// unseal decrypts what seal made for the same conversion.
func (s *Sealer) unseal(key arr.ConversionKey, sealed []byte) (Credentials, error) {
	var c Credentials
	if len(sealed) == 0 {
		return c, nil
	}
	text, err := s.aead.Open(nil, nil, sealed, []byte(key.String()))
	if err != nil {
		return c, fmt.Errorf("unseal credentials: %w", err)
	}
	return c, json.Unmarshal(text, &c)
}
