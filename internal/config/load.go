package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml"

	"github.com/heliograph/heliograph/internal/arr"
)

// EnvPrefix starts the name of every environment variable that sets a key.
const EnvPrefix = "HELIOGRAPH_"

// Load lays the YAML file at path ("" = none) and then the environment over base. The result is not validated yet: flags
// may go over it first.
func Load(base Config, path string, getenv func(string) string) (Config, error) {
	c := base
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return Config{}, fmt.Errorf("read config: %w", err)
		}
		if err := c.merge(text); err != nil {
			return Config{}, fmt.Errorf("config %s: %w", path, err)
		}
	}
	if err := c.fromEnv(getenv); err != nil {
		return Config{}, err
	}
	return c, nil
}

// merge decodes YAML over c. An unknown key is an error that names its line: a typo must not silently be a default.
func (c *Config) merge(text []byte) error {
	var doc any
	if err := yaml.Unmarshal(text, &doc); err == nil && doc == nil {
		return nil // only comments: decoding that would zero c
	}
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(c)
	if err != nil {
		return errors.New(strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	return nil
}

func (c *Config) fromEnv(getenv func(string) string) error {
	var errs []error
	walk(reflect.ValueOf(c).Elem(), "", func(path string, v reflect.Value) {
		name := EnvName(path)
		text := getenv(name)
		if text == "" {
			return
		}
		if err := set(v, text); err != nil {
			errs = append(errs, fmt.Errorf("environment %s: %w", name, err))
		}
	})
	return errors.Join(errs...)
}

// walk calls f for every leaf of v with its dotted path of YAML keys.
func walk(v reflect.Value, prefix string, f func(path string, v reflect.Value)) {
	for i := range v.NumField() {
		path := prefix + v.Type().Field(i).Tag.Get("yaml")
		if v.Field(i).Kind() == reflect.Struct {
			walk(v.Field(i), path+".", f)
			continue
		}
		f(path, v.Field(i))
	}
}

// EnvName is the rule from a key's path to its variable: a dot and every lower-to-upper step become an underscore.
// The unit MiB counts as one word.
func EnvName(path string) string {
	var b strings.Builder
	b.WriteString(EnvPrefix)
	var before rune
	for _, r := range strings.ReplaceAll(path, "MiB", "Mib") {
		switch {
		case r == '.':
			r = '_'
		case unicode.IsUpper(r) && unicode.IsLower(before):
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
		before = r
	}
	return b.String()
}

func set(v reflect.Value, text string) error {
	var err error
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = text
	case *arr.Secret:
		*p = arr.Secret(text)
	case *bool:
		*p, err = strconv.ParseBool(text)
	case *int:
		*p, err = strconv.Atoi(text)
	case *int64:
		*p, err = strconv.ParseInt(text, 10, 64)
	case *float64:
		*p, err = strconv.ParseFloat(text, 64)
	case *time.Duration:
		*p, err = time.ParseDuration(text)
	case *[]string: // comma separated; "-" empties a list, because an empty variable counts as not set
		*p = nil
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" && item != "-" {
				*p = append(*p, item)
			}
		}
	case *[]AzureAccount: // as in the file, on one line: [{name: a, key: b}]
		*p = nil
		if err = yaml.UnmarshalWithOptions([]byte(text), p, yaml.Strict()); err != nil {
			err = errors.New("not a YAML list of accounts") // the parser's words would show keys
		}
	case *[]Reservation: // the same
		*p = nil
		err = yaml.UnmarshalWithOptions([]byte(text), p, yaml.Strict())
	default:
		return fmt.Errorf("config: no text form for %s", v.Type())
	}
	return err
}
