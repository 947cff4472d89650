// Package client talks to a Heliograph service, or to any other that speaks the Azure Remote Rendering REST API of
// 2021-01-01: it creates, watches, extends and stops rendering sessions, has models converted to assets, and with Heliograph's
// extensions loads models, takes pictures, opens viewers, and watches and cancels conversions. It gets and renews access
// tokens by itself, and repeats what may be repeated. It renders and decodes nothing.
//
// All methods take a context, are safe for concurrent use, and fail with an *Error when the service refused.
package client
