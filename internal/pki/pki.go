// Package pki is the local certificate authority: it issues the certificates of workers, and in dev mode that of the
// SDK endpoint. It serves one machine or one service; it is no public CA and has no revocation.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	caFile    = "ca.pem"
	caKeyFile = "ca.key"

	caLife = 10 * 365 * 24 * time.Hour
	// Browsers and Apple's platforms refuse leaves that live longer than 825 days.
	leafLife = 397 * 24 * time.Hour
	// backdate forgives a client's clock that runs behind.
	backdate = time.Hour
)

// CA is a local certificate authority. It is safe for concurrent use.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	path string
	pem  []byte
}

// Open returns the authority kept in dir, making it there (files of mode 0600) at the first call, and anew when the
// kept one nears its end. With domains, a new authority can vouch only for those, their subdomains and loopback
// addresses (RFC 5280 section 4.2.1.10), so that trusting it in a browser gives nobody the rest of the web.
// Two processes must not open the same new dir at once; the data directory's owner sees to that.
func Open(dir string, now time.Time, domains ...string) (*CA, error) {
	ca, err := load(dir)
	if err == nil && now.Before(ca.cert.NotAfter.Add(-leafLife)) {
		return ca, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open local CA: %w", err)
	}
	if ca, err = create(dir, now, domains); err != nil {
		return nil, fmt.Errorf("create local CA: %w", err)
	}
	return ca, nil
}

// CertFile is the path of the authority's certificate, for clients to trust.
func (ca *CA) CertFile() string { return ca.path }

// Pool is what a client needs to trust the certificates issued here.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// Issue makes a server certificate for the given DNS names and IP addresses, valid from an hour before now, and
// returns the chain and its key as PEM. Nothing is kept.
func (ca *CA) Issue(now time.Time, hosts ...string) (certPEM, keyPEM []byte, err error) {
	if len(hosts) == 0 {
		return nil, nil, errors.New("issue certificate: no host")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("issue certificate: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, nil, fmt.Errorf("issue certificate: %w", err)
	}
	leaf := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: hosts[0], Organization: []string{"Heliograph"}},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(leafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return nil, nil, fmt.Errorf("issue certificate: %w", err)
	}
	keyPEM, err = encodeKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("issue certificate: %w", err)
	}
	return append(encodeCert(der), ca.pem...), keyPEM, nil
}

func load(dir string) (*CA, error) {
	path := filepath.Join(dir, caFile)
	certText, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	keyText, err := os.ReadFile(filepath.Join(dir, caKeyFile))
	if err != nil {
		return nil, err
	}
	certBlock, _ := pem.Decode(certText)
	keyBlock, _ := pem.Decode(keyText)
	if certBlock == nil || keyBlock == nil {
		return nil, fmt.Errorf("%s or %s in %s is not PEM", caFile, caKeyFile, dir)
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", caKeyFile, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s is not the key of %s", caKeyFile, path)
	}
	return &CA{cert: cert, key: key, path: path, pem: encodeCert(cert.Raw)}, nil
}

func create(dir string, now time.Time, domains []string) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	// The name carries the serial so that a trust store tells authorities of several data directories apart.
	name := fmt.Sprintf("Heliograph local CA %x", serial.Bytes()[:4])
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name, Organization: []string{"Heliograph"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true, // issues leaves only
	}
	if len(domains) > 0 {
		template.PermittedDNSDomainsCritical = true
		template.PermittedDNSDomains = domains
		template.PermittedIPRanges = []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// The certificate goes last: load asks for it first, so a crash between the two just starts over.
	for _, f := range []struct {
		name string
		data []byte
	}{{caKeyFile, keyPEM}, {caFile, encodeCert(der)}} {
		if err := replaceFile(filepath.Join(dir, f.name), f.data); err != nil {
			return nil, err
		}
	}
	return load(dir)
}

// replaceFile writes a file of mode 0600 such that a reader sees the old or the new content, never a part.
func replaceFile(path string, data []byte) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) { // WriteFile keeps the mode of an old one
		return err
	}
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// newSerial returns 127 random bits with the top one set (RFC 5280 section 4.1.2.2: positive, at most 20 octets).
func newSerial() (*big.Int, error) {
	limit := new(big.Int).Lsh(big.NewInt(1), 126)
	n, err := rand.Int(rand.Reader, limit)
	if err != nil {
		return nil, err
	}
	return n.Add(n, limit), nil
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
