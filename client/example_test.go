package client_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/heliograph/heliograph/client"
)

// service is a stand-in with one session that is Ready at the second look.
func service() *httptest.Server {
	status := "Starting"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /Accounts/{account}/token", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"AccessToken":"`+token(time.Hour)+`"}`)
	})
	answer := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id":"demo","size":"Standard","status":"`+status+`","hostname":"host.example","handshakePort":50051}`)
		status = "Ready"
	}
	mux.HandleFunc("PUT /accounts/{account}/sessions/demo", answer)
	mux.HandleFunc("GET /accounts/{account}/sessions/demo", answer)
	mux.HandleFunc("POST /accounts/{account}/sessions/demo/{verb}", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	converted := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id":"engine","status":"Succeeded","error":null,"output":{"outputAssetUri":"s3://assets/engine.arrAsset"}}`)
	}
	mux.HandleFunc("PUT /accounts/{account}/conversions/engine", converted)
	mux.HandleFunc("GET /accounts/{account}/conversions/engine", converted)
	return httptest.NewServer(mux)
}

func Example() {
	srv := service()
	defer srv.Close()

	c, err := client.New(client.Config{
		Endpoint:   srv.URL, // https://remoterendering.example.com
		STS:        srv.URL, // https://sts.example.com
		AccountID:  "9c4b2ae8-41e9-4ef3-a0d9-d2a7e8d1b1ce",
		AccountKey: "the account's key",
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := c.CreateSession(ctx, "demo", client.CreateOptions{Size: client.Standard, Lease: time.Hour}); err != nil {
		log.Fatal(err)
	}
	defer func() {
		if err := c.StopSession(ctx, "demo"); err != nil {
			log.Print(err)
		}
	}()
	s, err := c.WaitReady(ctx, "demo", client.WaitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.ToLower(string(s.Status)), s.Hostname, s.HandshakePort)
	// Output: ready host.example 50051
}

func ExampleClient_CreateConversion() {
	srv := service()
	defer srv.Close()

	c, err := client.New(client.Config{Endpoint: srv.URL, STS: srv.URL, AccountID: "9c4b2ae8-41e9-4ef3-a0d9-d2a7e8d1b1ce", AccountKey: "key"})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if _, err := c.CreateConversion(ctx, "engine", client.ConversionSettings{
		InputLocation:  client.InputLocation{StorageContainerURI: "s3://models", RelativeInputAssetPath: "engine.fbx"},
		OutputLocation: client.OutputLocation{StorageContainerURI: "s3://assets"},
	}); err != nil {
		log.Fatal(err)
	}
	conv, err := c.WaitConversion(ctx, "engine", client.ConversionWaitOptions{Progress: func(p client.ConversionProgress) {
		log.Printf("%.0f %%, %s", 100*p.Done, p.Stage)
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(conv.Output.OutputAssetURI)
	// Output: s3://assets/engine.arrAsset
}
