package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/arrapi"
	"github.com/heliograph/heliograph/internal/conversion"
)

// Conversions is what the edge needs of the conversion core; *conversion.Manager implements it. All errors that a client may
// see are *arr.Error.
type Conversions interface {
	// Create accepts a new conversion (created: 201) or returns the one that was created with the same settings (200). Other
	// settings: arr.CodeConflict.
	Create(ctx context.Context, key arr.ConversionKey, settings arr.ConversionSettings, secrets conversion.Credentials) (
		c arr.Conversion, created bool, err error)
	// Get returns arr.CodeNotFound for an unknown conversion.
	Get(ctx context.Context, key arr.ConversionKey) (arr.Conversion, error)
	// List returns all conversions, oldest first, limit at a time, as Sessions.List does.
	List(ctx context.Context, account arr.AccountID, after string, limit int) (page []arr.Conversion, next string, err error)
	// Cancel ends the conversion; no error if it has ended.
	Cancel(ctx context.Context, key arr.ConversionKey) error
	// Delete forgets the conversion.
	Delete(ctx context.Context, key arr.ConversionKey) error
}

// ConversionWatch tells how conversions come along; *conversion.Queue implements it.
type ConversionWatch interface {
	// Progress returns arr.CodeNotFound for an unknown conversion.
	Progress(ctx context.Context, key arr.ConversionKey) (arr.ConversionProgress, error)
	// LogTail returns the last n lines of what was said while the conversion ran, also after its end; arr.CodeNotFound for an
	// unknown conversion.
	LogTail(ctx context.Context, key arr.ConversionKey, n int) ([]byte, error)
}

func (d dataPlane) CreateConversion(ctx context.Context, r arrapi.CreateConversionRequestObject) (
	arrapi.CreateConversionResponseObject, error) {
	key, err := conversionKey(r.AccountID, r.ConversionID)
	if err != nil {
		return nil, err
	}
	in, out := r.Body.Settings.InputLocation, r.Body.Settings.OutputLocation
	c, created, err := d.s.cfg.Conversions.Create(ctx, key,
		arr.ConversionSettings{
			Input: arr.InputLocation{ContainerURI: in.StorageContainerURI, BlobPrefix: text(in.BlobPrefix), AssetPath: in.RelativeInputAssetPath},
			Output: arr.OutputLocation{ContainerURI: out.StorageContainerURI, BlobPrefix: text(out.BlobPrefix),
				AssetFilename: text(out.OutputAssetFilename)},
		},
		conversion.Credentials{
			Input: conversion.SAS(text(in.StorageContainerReadListSas)), Output: conversion.SAS(text(out.StorageContainerWriteSas)),
		})
	if err != nil {
		return nil, err
	}
	if created {
		return arrapi.CreateConversion201JSONResponse(wireConversion(&c)), nil
	}
	return arrapi.CreateConversion200JSONResponse(wireConversion(&c)), nil
}

func (d dataPlane) GetConversion(ctx context.Context, r arrapi.GetConversionRequestObject) (arrapi.GetConversionResponseObject, error) {
	key, err := conversionKey(r.AccountID, r.ConversionID)
	if err != nil {
		return nil, err
	}
	c, err := d.s.cfg.Conversions.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return arrapi.GetConversion200JSONResponse(wireConversion(&c)), nil
}

func (d dataPlane) ListConversions(ctx context.Context, r arrapi.ListConversionsRequestObject) (
	arrapi.ListConversionsResponseObject, error) {
	account, err := arr.ParseAccountID(r.AccountID)
	if err != nil {
		return nil, err
	}
	all, next, err := d.s.cfg.Conversions.List(ctx, account, text(r.Params.After), d.s.cfg.PageSize)
	if err != nil {
		return nil, err
	}
	page := arrapi.ListConversions200JSONResponse{Conversions: make([]arrapi.Conversion, len(all))} // [] even if empty
	for i := range all {
		page.Conversions[i] = wireConversion(&all[i])
	}
	page.NextLink = d.s.nextLink(ctx, account, "conversions", string(r.Params.APIVersion), next)
	return page, nil
}

func conversionKey(account, id string) (arr.ConversionKey, error) {
	a, err := arr.ParseAccountID(account)
	if err != nil {
		return arr.ConversionKey{}, err
	}
	c, err := arr.ParseConversionID(id)
	return arr.ConversionKey{Account: a, ID: c}, err
}

// conversionTime is the form of creationTime, which ends in Z here and not in sessions (contract sections 5 and 8.17).
const conversionTime = "2006-01-02T15:04:05.9999999Z07:00"

// wireConversion shows a conversion with its normalized settings, never with a signature (contract section 5, "Object").
func wireConversion(c *arr.Conversion) arrapi.Conversion {
	in, out := c.Settings.Input, c.Settings.Output
	wire := arrapi.Conversion{
		ID:           string(c.Key.ID),
		CreationTime: c.CreatedAt.UTC().Format(conversionTime),
		Settings: arrapi.ConversionSettings{
			InputLocation: arrapi.ConversionInputSettings{
				StorageContainerURI: in.ContainerURI, BlobPrefix: some(in.BlobPrefix), RelativeInputAssetPath: in.AssetPath,
			},
			OutputLocation: arrapi.ConversionOutputSettings{
				StorageContainerURI: out.ContainerURI, BlobPrefix: some(out.BlobPrefix), OutputAssetFilename: some(out.AssetFilename),
			},
		},
		Status: arrapi.ConversionStatus(c.Status),
	}
	if uri := c.OutputAssetURI(); uri != "" {
		wire.Output = &arrapi.ConversionOutput{OutputAssetURI: &uri}
	}
	if c.Status == arr.ConversionFailed && c.Error != nil {
		e := wireError(c.Error)
		wire.Error = &e
	}
	return wire
}

// text is an optional member; one that is not there and an empty one mean the same (contract section 5).
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// some is nil for "": the member is left out.
func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// nextLink is where the page after this one is (contract section 6); nil after the last.
func (s *Server) nextLink(ctx context.Context, account arr.AccountID, collection, version, next string) *string {
	if next == "" {
		return nil
	}
	query := url.Values{"api-version": {version}, "after": {next}}
	link := s.origin(ctx) + "/accounts/" + string(account) + "/" + collection + "?" + query.Encode()
	return &link
}

// conversionProgress is the answer to GET …/progress.
type conversionProgress struct {
	Status         string  `json:"status"`
	Stage          string  `json:"stage"`
	StageDone      float64 `json:"stageDone"`
	Done           float64 `json:"done"`
	Rate           float64 `json:"rate,omitempty"`
	Unit           string  `json:"unit,omitempty"`
	Ahead          int     `json:"ahead,omitempty"`
	Attempt        int     `json:"attempt"`
	ElapsedSeconds float64 `json:"elapsedSeconds"`
}

func (s *Server) getConversionProgress(w http.ResponseWriter, r *http.Request) {
	key, err := pathConversion(r)
	var p arr.ConversionProgress
	if err == nil {
		p, err = s.cfg.ConversionWatch.Progress(r.Context(), key)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	noStore(w.Header())
	writeJSON(w, http.StatusOK, conversionProgress{
		Status: string(p.Status), Stage: p.Stage, StageDone: p.StageDone, Done: p.Done, Rate: p.Rate, Unit: p.Unit,
		Ahead: p.Ahead, Attempt: p.Attempt, ElapsedSeconds: p.Elapsed.Seconds(),
	})
}

func (s *Server) getConversionLog(w http.ResponseWriter, r *http.Request) {
	s.answerLog(w, r, func(n int) ([]byte, error) {
		key, err := pathConversion(r)
		if err != nil {
			return nil, err
		}
		return s.cfg.ConversionWatch.LogTail(r.Context(), key, n)
	})
}

func (s *Server) cancelConversion(w http.ResponseWriter, r *http.Request) {
	s.changeConversion(w, r, s.cfg.Conversions.Cancel)
}

func (s *Server) deleteConversion(w http.ResponseWriter, r *http.Request) {
	s.changeConversion(w, r, s.cfg.Conversions.Delete)
}

// changeConversion answers 204 when change has worked.
func (s *Server) changeConversion(w http.ResponseWriter, r *http.Request, change func(context.Context, arr.ConversionKey) error) {
	key, err := pathConversion(r)
	if err == nil {
		err = change(r.Context(), key)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func pathConversion(r *http.Request) (arr.ConversionKey, error) {
	return conversionKey(r.PathValue("account_id"), r.PathValue("conversion_id"))
}
