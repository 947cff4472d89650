package client_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heliograph/heliograph/client"
)

const converted = `{"id":"c","creationTime":"2021-04-30T13:54:58.578215Z","settings":{"inputLocation":{"storageContainerUri":"https://s/in",` +
	`"blobPrefix":"Input/","relativeInputAssetPath":"box.fbx"},"outputLocation":{"storageContainerUri":"https://s/out","blobPrefix":"Output/",` +
	`"outputAssetFilename":"box.arrAsset"}},"output":{"outputAssetUri":"https://s/out/Output/box.arrAsset"},"error":null,"status":"Succeeded"}`

func TestConversionIsDecoded(t *testing.T) {
	c, _ := newClient(t, answer(200, converted))
	got, err := c.GetConversion(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	want := client.Conversion{
		ID: "c", CreationTime: time.Date(2021, 4, 30, 13, 54, 58, 578215000, time.UTC), Status: client.ConversionSucceeded,
		Settings: client.ConversionSettings{
			InputLocation: client.InputLocation{StorageContainerURI: "https://s/in", BlobPrefix: "Input/", RelativeInputAssetPath: "box.fbx"},
			OutputLocation: client.OutputLocation{StorageContainerURI: "https://s/out", BlobPrefix: "Output/",
				OutputAssetFilename: "box.arrAsset"},
		},
	}
	if got.Output == nil || got.Output.OutputAssetURI != "https://s/out/Output/box.arrAsset" {
		t.Errorf("output %+v", got.Output)
	}
	got.Output = nil
	if *got != want {
		t.Errorf("got %+v", *got)
	}
}

func TestConversionsAreListed(t *testing.T) {
	c, f := newClient(t,
		answer(200, `{"conversions":[{"id":"a"}],"@nextLink":"https://arr.example/prefix/accounts/x/conversions?api-version=2021-01-01&after=1"}`),
		answer(200, `{"conversions":[{"id":"b"}]}`))
	var ids []string
	for conv, err := range c.Conversions(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, conv.ID)
	}
	if !slices.Equal(ids, []string{"a", "b"}) || f.requests[2].URL.RawQuery != "api-version=2021-01-01&after=1" {
		t.Errorf("got %v, then asked %s", ids, f.requests[2].URL)
	}
}

func TestWaitConversion(t *testing.T) {
	waiting := answer(200, `{"status":"NotStarted","error":null}`)
	progress := answer(200, `{"status":"Running","stage":"meshes","done":0.5}`)
	for name, tc := range map[string]struct {
		end   reply
		fails string
	}{
		"succeeded": {answer(200, converted), ""},
		"failed": {answer(200, `{"status":"Failed","error":{"code":"InputContainerError","message":"not found"}}`),
			"conversion c: InputContainerError: not found"},
		"cancelled": {answer(200, `{"status":"Cancelled","error":null}`), "conversion c is Cancelled"},
		"never":     {waiting, "conversion c is still NotStarted: context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newClient(t, waiting, progress, waiting, progress, tc.end)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var seen []string
				_, err := c.WaitConversion(ctx, "c", client.ConversionWaitOptions{Progress: func(p client.ConversionProgress) {
					seen = append(seen, fmt.Sprint(p.Stage, p.Done))
				}})
				if got := fmt.Sprint(err); err == nil && tc.fails != "" || err != nil && got != tc.fails {
					t.Errorf("got %v, want %q", err, tc.fails)
				}
				if !strings.HasPrefix(strings.Join(seen, " "), "meshes0.5 meshes0.5") {
					t.Errorf("progress %v", seen)
				}
			})
		})
	}
}
