package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// tokenCache keeps one token and fetches the next before it expires.
type tokenCache struct {
	fetch func(context.Context) (Secret, error)

	// lock guards what follows; a channel, so that waiting for another caller's fetch ends with the context.
	lock    chan struct{}
	token   Secret
	renewAt time.Time
}

func newTokenCache(fetch func(context.Context) (Secret, error)) *tokenCache {
	return &tokenCache{fetch: fetch, lock: make(chan struct{}, 1)}
}

func (t *tokenCache) get(ctx context.Context) (Secret, error) {
	select {
	case t.lock <- struct{}{}:
		defer func() { <-t.lock }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	now := time.Now()
	if t.token != "" && now.Before(t.renewAt) {
		return t.token, nil
	}
	token, err := t.fetch(ctx)
	if err != nil {
		return "", fmt.Errorf("get access token: %w", err)
	}
	t.token, t.renewAt = token, renewal(token, now)
	return token, nil
}

// drop forgets used, unless it was replaced meanwhile.
func (t *tokenCache) drop(used Secret) {
	t.lock <- struct{}{}
	defer func() { <-t.lock }()
	if t.token == used {
		t.token = ""
	}
}

// renewal is when a token got at now should be replaced: five minutes before its end, or half way if it lives less
// than ten. A token that cannot be read is used once.
func renewal(token Secret, now time.Time) time.Time {
	parts := strings.Split(string(token), ".")
	if len(parts) != 3 {
		return now
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return now
	}
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return now
	}
	life := time.Unix(claims.Exp, 0).Sub(now)
	return now.Add(life - min(5*time.Minute, life/2))
}

// exchangeKey asks the token service for an access token (contract section 2).
func (c *Client) exchangeKey(ctx context.Context, url, account string, key Secret) (Secret, error) {
	for attempt := 0; ; attempt++ {
		token, err := c.askSTS(ctx, url, account, key)
		if err == nil || attempt >= c.retries || !retryable(err, true) || wait(ctx, attempt, err) != nil {
			return token, err
		}
	}
}

func (c *Client) askSTS(ctx context.Context, url, account string, key Secret) (Secret, error) {
	resp, err := c.send(ctx, http.MethodGet, url, "Bearer "+account+":"+string(key), nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct{ AccessToken string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&answer); err != nil {
		return "", fmt.Errorf("decode answer of token service: %w", err)
	}
	if answer.AccessToken == "" {
		return "", fmt.Errorf("token service answered without a token")
	}
	return Secret(answer.AccessToken), nil
}
