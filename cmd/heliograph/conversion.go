package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/heliograph/heliograph/client"
	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/converter/child"
)

// conversionCmd holds the commands that have a service convert.
type conversionCmd struct {
	Create conversionCreateCmd `cmd:"" help:"Have a model in storage converted to an asset."`
	List   conversionListCmd   `cmd:"" help:"List the conversions, oldest first."`
	Show   conversionShowCmd   `cmd:"" help:"Show one conversion, and how far it has come."`
	Log    conversionLogCmd    `cmd:"" help:"Print what was said while a conversion ran."`
	Cancel conversionCancelCmd `cmd:"" help:"End a conversion that waits or runs."`
	Delete conversionDeleteCmd `cmd:"" help:"Forget a conversion and its log; what it has written stays."`
}

func (conversionCmd) Help() string {
	return `A conversion takes a model out of a container, makes an asset of it and puts that into a container, all by the service.
To convert a file of this machine without a service, see heliograph convert --help.

    heliograph conversion create engine --input file:///srv/models --file engine.glb --output file:///srv/assets --wait
    heliograph conversion show engine
    heliograph conversion log engine
` + connectionHelp
}

func (o output) conversion(a *app, c *client.Conversion, p *client.ConversionProgress) error {
	if o.JSON {
		return printJSON(a.stdout, c)
	}
	return printConversion(a.stdout, c, p)
}

type conversionCreateCmd struct {
	connection
	output
	ID string `arg:"" help:"The new conversion's id: 1 to 256 characters of A-Z, a-z, 0-9, _ and -."`

	Input    string `required:"" placeholder:"URI" help:"Container of the model: https (Azure), s3, gs, or a directory."`
	File     string `required:"" placeholder:"PATH" help:"The model, relative to the container and its --prefix."`
	Prefix   string `placeholder:"PREFIX" help:"Folder in the container; all below it is fetched. By default the whole container."`
	InputSAS string `name:"input-sas" byenv:"" placeholder:"SAS" help:"Signature to read and list it; better by $HELIOGRAPH_INPUT_SAS."`

	Output       string `required:"" placeholder:"URI" help:"Container for the asset."`
	OutputPrefix string `placeholder:"PREFIX" help:"Folder in that container."`
	Name         string `placeholder:"NAME" help:"Name of the asset; by default the model's."`
	OutputSAS    string `name:"output-sas" byenv:"" placeholder:"SAS" help:"Signature to write to it; better by $HELIOGRAPH_OUTPUT_SAS."`

	Wait bool `help:"Wait until it has ended, with a bar; the exit code is 1 if there is no asset then."`
}

func (conversionCreateCmd) Help() string {
	return `Creating a conversion that exists with the same settings returns that conversion; it is not run again.

    heliograph conversion create hall --input s3://scans --file hall.laz --output s3://assets --wait
    HELIOGRAPH_INPUT_SAS="sv=..." HELIOGRAPH_OUTPUT_SAS="sv=..." heliograph conversion create car \
        --input https://ACCOUNT.blob.core.windows.net/models --prefix car --file car.fbx \
        --output https://ACCOUNT.blob.core.windows.net/assets --output-prefix cars

Settings and material overrides lie beside the model: NAME.ConversionSettings.json and NAME.MaterialOverrides.json.
` + connectionHelp
}

func (c *conversionCreateCmd) Run(ctx context.Context, a *app) error {
	settings, err := c.settings()
	if err != nil {
		return err
	}
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	conv, err := cl.CreateConversion(ctx, c.ID, settings)
	if err != nil {
		return err
	}
	if c.Wait {
		bar := newConversionBar(a.stderr, true)
		conv, err = cl.WaitConversion(ctx, c.ID, client.ConversionWaitOptions{Progress: func(p client.ConversionProgress) {
			bar.show(child.Progress{Stage: stageOf(p), StageDone: p.StageDone, Done: p.Done, Rate: p.Rate, Unit: p.Unit})
		}})
		bar.end()
		if err != nil {
			return err
		}
	}
	return c.conversion(a, conv, nil)
}

func (c *conversionCreateCmd) settings() (client.ConversionSettings, error) {
	in, err := modelURI(c.Input)
	if err != nil {
		return client.ConversionSettings{}, err
	}
	out, err := modelURI(c.Output)
	if err != nil {
		return client.ConversionSettings{}, err
	}
	if c.Name != "" && !strings.HasSuffix(c.Name, arr.AssetExtension) {
		c.Name += arr.AssetExtension
	}
	return client.ConversionSettings{
		InputLocation: client.InputLocation{
			StorageContainerURI: in, BlobPrefix: c.Prefix, RelativeInputAssetPath: c.File, StorageContainerReadListSAS: client.Secret(c.InputSAS),
		},
		OutputLocation: client.OutputLocation{
			StorageContainerURI: out, BlobPrefix: c.OutputPrefix, OutputAssetFilename: c.Name, StorageContainerWriteSAS: client.Secret(c.OutputSAS),
		},
	}, nil
}

// stageOf says what is done, or how many are first.
func stageOf(p client.ConversionProgress) string {
	if p.Ahead > 0 {
		return fmt.Sprintf("%s for %d others", p.Stage, p.Ahead)
	}
	return p.Stage
}

type conversionListCmd struct {
	connection
	output
}

func (c *conversionListCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	all := []*client.Conversion{} // not nil: JSON prints [] and not null
	for conv, err := range cl.Conversions(ctx) {
		if err != nil {
			return err
		}
		all = append(all, conv)
	}
	if c.JSON {
		return printJSON(a.stdout, all)
	}
	return printConversions(a.stdout, all)
}

type conversionShowCmd struct {
	connection
	output
	ID string `arg:"" help:"The conversion."`
}

func (c *conversionShowCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	conv, err := cl.GetConversion(ctx, c.ID)
	if err != nil {
		return err
	}
	if conv.Status.Final() || c.JSON {
		return c.conversion(a, conv, nil)
	}
	p, err := cl.ConversionProgress(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.conversion(a, conv, &p)
}

type conversionLogCmd struct {
	connection
	ID     string `arg:"" help:"The conversion."`
	Lines  int    `short:"n" default:"100" help:"How many of the last lines; 0 is as many as the service gives, 10,000."`
	Follow bool   `short:"f" help:"Go on printing what comes, until interrupted or the conversion has ended."`
}

func (c *conversionLogCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	return printLog(ctx, a.stdout, c.Lines, c.Follow, logSource{
		read: func(lines int) (io.ReadCloser, error) { return cl.ConversionLog(ctx, c.ID, lines) },
		ended: func() (bool, error) {
			conv, err := cl.GetConversion(ctx, c.ID)
			return err == nil && conv.Status.Final(), err
		},
	})
}

type conversionCancelCmd struct {
	connection
	output
	ID string `arg:"" help:"The conversion."`
}

func (c *conversionCancelCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	if err := cl.CancelConversion(ctx, c.ID); err != nil {
		return err
	}
	conv, err := cl.GetConversion(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.conversion(a, conv, nil)
}

type conversionDeleteCmd struct {
	connection
	ID string `arg:"" help:"The conversion."`
}

func (c *conversionDeleteCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	return cl.DeleteConversion(ctx, c.ID)
}

// printConversion shows p, too, unless it is nil.
func printConversion(w io.Writer, c *client.Conversion, p *client.ConversionProgress) error {
	in, out := c.Settings.InputLocation, c.Settings.OutputLocation
	rows := [][]string{
		{"Conversion", c.ID},
		{"Status", string(c.Status)},
		{"Input", join(in.StorageContainerURI, in.BlobPrefix+in.RelativeInputAssetPath)},
		{"Output", join(out.StorageContainerURI, out.BlobPrefix+out.OutputAssetFilename)},
		{"Created", c.CreationTime.UTC().Format(time.DateTime) + " UTC"},
	}
	if p != nil {
		rows = append(rows, []string{"Progress", fmt.Sprintf("%.0f %%, %s, attempt %d", 100*p.Done, stageOf(*p), max(1, p.Attempt))})
	}
	if c.Error != nil {
		rows = append(rows, []string{"Error", c.Error.Error()})
	}
	return table(w, rows...)
}

func printConversions(w io.Writer, all []*client.Conversion) error {
	rows := [][]string{{"CONVERSION", "STATUS", "INPUT", "CREATED"}}
	for _, c := range all {
		in := c.Settings.InputLocation
		rows = append(rows, []string{c.ID, string(c.Status), join(in.StorageContainerURI, in.BlobPrefix+in.RelativeInputAssetPath),
			c.CreationTime.UTC().Format(time.DateTime)})
	}
	return table(w, rows...)
}

// join names a blob by its container's URI and its key.
func join(container, key string) string { return strings.TrimSuffix(container, "/") + "/" + key }
