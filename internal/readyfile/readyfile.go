// Package readyfile is the JSON file by which a serving `heliograph serve --dev` tells scripts, tests and its own
// command line how to reach it. It holds an account key: it is written with mode 0600.
package readyfile

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Info is the content of the file.
type Info struct {
	Endpoint      string `json:"endpoint"`      // origin of the REST API
	STS           string `json:"sts"`           // origin of the token service
	AccountDomain string `json:"accountDomain"` // SDKs derive https://sts.<accountDomain> from it
	AccountID     string `json:"accountId"`
	AccountKey    string `json:"accountKey"`
	CAFile        string `json:"caFile"`    // certificate to trust; "" when the endpoint's is publicly trusted
	Dashboard     string `json:"dashboard"` // URL for a browser
	PID           int    `json:"pid"`
}

// Write replaces the file at path in one step: whoever sees it sees all of it.
func Write(path string, info Info) error {
	text, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".ready-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write ready file: %w", err)
	}
	_, err = tmp.Write(append(text, '\n'))
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("write ready file: %w", err)
	}
	return nil
}

// Read reads what Write wrote.
func Read(path string) (Info, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Info{}, err
	}
	var info Info
	if err := json.Unmarshal(text, &info); err != nil {
		return Info{}, fmt.Errorf("ready file %s: %w", path, err)
	}
	return info, nil
}
