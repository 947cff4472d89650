package converter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/converter/settings"
	"github.com/heliograph/heliograph/internal/importer"
)

// beside returns a file of settings from the model's folder; nil = there is none.
func (c *conversion) beside(name string) (*child.File, error) {
	full := path.Join(path.Dir(c.job.InputFile), strings.ReplaceAll(name, `\`, "/"))
	if !fs.ValidPath(full) {
		return nil, fmt.Errorf("%q leads out of the model's folder", name)
	}
	data, err := importer.Source{Root: c.root.FS(), Name: c.job.InputFile}.Read(full, maxSettings)
	switch {
	case errors.Is(err, importer.ErrNoFile):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &child.File{Name: name, Data: data}, nil
}

func (c *conversion) readSettings() error {
	c.settings = settings.Default()
	file := c.job.Settings
	if file == nil {
		var err error
		if file, err = c.beside(child.Stem(c.job.InputFile) + settings.Suffix); err != nil {
			return invalidSettings(err)
		}
	}
	if file == nil {
		var err error
		if file, err = c.beside(settings.DeprecatedName); err != nil {
			return invalidSettings(err)
		}
		if file == nil {
			return nil
		}
		c.deprecated(settings.DeprecatedName, child.Stem(c.job.InputFile)+settings.Suffix)
	}
	s, err := settings.Parse(file.Name, file.Data)
	if err != nil {
		return invalidSettings(err)
	}
	c.settings = s
	var compact bytes.Buffer
	if err := json.Compact(&compact, s.Raw); err == nil {
		c.info.ConversionSettings = compact.Bytes()
	}
	return nil
}

func (c *conversion) readOverrides() error {
	usual := child.Stem(c.job.InputFile) + settings.OverridesSuffix
	file := c.job.Overrides
	var err error
	switch named := c.settings.MaterialOverride; {
	case file != nil:
	case named != "":
		if file, err = c.beside(named); err == nil && file == nil {
			err = fmt.Errorf(`there is no file %q, which "material-override" of the settings names`, named)
		}
		c.deprecated(`"material-override"`, usual)
	default:
		file, err = c.beside(usual)
	}
	if err != nil {
		return invalidOverrides(err)
	}
	if file == nil {
		return nil
	}
	if c.overrides, err = settings.ParseOverrides(file.Name, file.Data); err != nil {
		return invalidOverrides(err)
	}
	c.info.MaterialOverrides = &child.OverrideStatistics{Overrides: len(c.overrides)}
	return nil
}

func (c *conversion) deprecated(what, instead string) {
	c.warn(child.CodeDeprecated, "Deprecated name of settings", detail("found", what), detail("use", instead))
}

func invalidSettings(err error) error {
	return fail(child.KindSettings, child.CodeInvalidSettings, "The conversion settings are not valid.", detail("error", message(err)))
}

func invalidOverrides(err error) error {
	return fail(child.KindSettings, child.CodeInvalidOverrides, "The material overrides are not valid.", detail("error", message(err)))
}

// message is an error's text for people.
func message(err error) string {
	var e *arr.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
