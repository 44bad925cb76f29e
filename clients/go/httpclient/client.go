// Package httpclient fetches price updates from aggregators, none of which is trusted.
//
// An aggregator can withhold, delay or send garbage; it cannot make a client accept a price that the pinned network did not
// sign, one of another feed, or an older one than the policy allows. Of an answer's JSON only the updates are read, and what
// they hold is verified.
package httpclient

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	touchstone "touchstone/clients/go"
)

const feedsMax = 255

// Config is what a client needs to know. What is 0 takes its default.
type Config struct {
	// Verifier is the pinned network.
	Verifier *touchstone.Verifier
	// Endpoints are base URLs of aggregators, such as https://prices.example.org.
	Endpoints []string
	// Suite asks for updates signed in it, and takes no others. By default any pinned suite will do: endpoints answer in the
	// network's first one, and a client whose verifier lacks an Ed25519 key asks for what it has.
	Suite touchstone.Suite
	// Timeout is how long one endpoint may take for a whole answer; 5 s by default.
	Timeout time.Duration
	// ConnectTimeout is how long a connection may take; 2 s by default.
	ConnectTimeout time.Duration
	// BodyLimit is the longest answer that is read, in bytes; 8 MiB by default.
	BodyLimit int64
	// TLS is for endpoints whose certificates are not of a public authority.
	TLS *tls.Config
}

// Client is a client of one network over any number of endpoints. Goroutines may share it.
//
// Every call tries the endpoints in turn, from the one that answered last, until one gives an authentic answer that is about what
// was asked. If none does, the error is an [*AllFailedError].
type Client struct {
	config    Config
	http      *http.Client
	preferred atomic.Int64
}

// New checks a configuration.
func New(config Config) (*Client, error) {
	if config.Verifier == nil || len(config.Endpoints) == 0 {
		return nil, answerError("config", "give a verifier and at least one endpoint")
	}
	if config.Timeout < 0 || config.ConnectTimeout < 0 || config.BodyLimit < 0 {
		return nil, answerError("config", "times and limits must be above 0")
	}
	var err error
	if config.Suite, err = suiteToAsk(config); err != nil {
		return nil, err
	}
	config.Timeout = orDefault(config.Timeout, 5*time.Second)
	config.ConnectTimeout = orDefault(config.ConnectTimeout, 2*time.Second)
	config.BodyLimit = orDefault(config.BodyLimit, 8<<20)
	endpoints := make([]string, len(config.Endpoints))
	for i, text := range config.Endpoints {
		if endpoints[i], err = baseURL(text); err != nil {
			return nil, err
		}
	}
	config.Endpoints = endpoints
	return &Client{config: config, http: newHTTP(config)}, nil
}

// suiteToAsk is the suite to ask for by name, and 0 if requests need none: endpoints answer in the network's first one then.
func suiteToAsk(config Config) (touchstone.Suite, error) {
	if config.Suite != 0 {
		if _, err := touchstone.ParseSuite(config.Suite.String()); err != nil {
			return 0, answerError("config", "%v is not known", config.Suite)
		}
		return config.Suite, nil
	}
	suites := config.Verifier.Suites()
	if len(suites) == 0 {
		return 0, answerError("config", "the verifier has no group key: make it by NewVerifier")
	}
	if suites[0] == touchstone.Ed25519 {
		return 0, nil
	}
	return suites[0], nil
}

func orDefault[T int64 | time.Duration](value, otherwise T) T {
	if value == 0 {
		return otherwise
	}
	return value
}

// Price is a feed's price. An endpoint whose answer the policy refuses, because it lags behind, is passed over as well.
func (c *Client) Price(ctx context.Context, feed touchstone.Feed, policy touchstone.Policy) (touchstone.VerifiedPrice, error) {
	prices, err := c.Prices(ctx, []touchstone.Feed{feed}, policy)
	return prices[feed], err
}

// Prices is the prices of several feeds, all of one round.
func (c *Client) Prices(ctx context.Context, feeds []touchstone.Feed, policy touchstone.Policy) (map[touchstone.Feed]touchstone.VerifiedPrice, error) {
	var prices map[touchstone.Feed]touchstone.VerifiedPrice
	err := c.latest(ctx, feeds, func(update *touchstone.VerifiedUpdate) error {
		prices = make(map[touchstone.Feed]touchstone.VerifiedPrice, len(feeds))
		for _, feed := range feeds {
			price, err := update.Price(feed, policy)
			if err != nil {
				return err
			}
			prices[feed] = price
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return prices, nil
}

// Latest is the latest update of these feeds, under one signature.
func (c *Client) Latest(ctx context.Context, feeds ...touchstone.Feed) (*touchstone.VerifiedUpdate, error) {
	var latest *touchstone.VerifiedUpdate
	err := c.latest(ctx, feeds, func(update *touchstone.VerifiedUpdate) error {
		latest = update
		return nil
	})
	return latest, err
}

// Around is the last update of a feed at or before an instant (Unix milliseconds) and the next one after it.
func (c *Client) Around(ctx context.Context, feed touchstone.Feed, instantMs uint64) (before, after *touchstone.VerifiedUpdate, err error) {
	feeds := []touchstone.Feed{feed}
	if err := checkFeeds(feeds); err != nil {
		return nil, nil, err
	}
	path := c.inSuite(fmt.Sprintf("/v1/feeds/%s/at?timestamp_ms=%d", feed, instantMs))
	err = c.first(ctx, func(ctx context.Context, base string) error {
		var answer struct{ Before, After *updateJSON }
		if err := c.getJSON(ctx, base+path, &answer); err != nil {
			return err
		}
		var err error
		if before, err = c.accept(answer.Before, feeds); err != nil {
			return err
		}
		if answer.After == nil {
			return answerError("no-next-yet", "no update after this instant has been signed yet: ask again in a moment")
		}
		if after, err = c.accept(answer.After, feeds); err != nil {
			return err
		}
		_, err = touchstone.VerifyAt(before, after, instantMs)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return before, after, nil
}

func (c *Client) latest(ctx context.Context, feeds []touchstone.Feed, use func(*touchstone.VerifiedUpdate) error) error {
	if err := checkFeeds(feeds); err != nil {
		return err
	}
	path := fmt.Sprintf("/v1/feeds/%s/latest", feeds[0])
	if len(feeds) > 1 {
		names := make([]string, len(feeds))
		for i, feed := range feeds {
			names[i] = string(feed)
		}
		path = "/v1/updates/latest?feeds=" + strings.Join(names, ",")
	}
	path = c.inSuite(path)
	return c.first(ctx, func(ctx context.Context, base string) error {
		var answer updateJSON
		if err := c.getJSON(ctx, base+path, &answer); err != nil {
			return err
		}
		update, err := c.accept(&answer, feeds)
		if err != nil {
			return err
		}
		return use(update)
	})
}

// inSuite is the path that asks for the suite that is wanted, if there is one.
func (c *Client) inSuite(path string) string {
	switch {
	case c.config.Suite == 0:
		return path
	case strings.Contains(path, "?"):
		return path + "&suite=" + c.config.Suite.String()
	}
	return path + "?suite=" + c.config.Suite.String()
}

func checkFeeds(feeds []touchstone.Feed) error {
	if len(feeds) == 0 || len(feeds) > feedsMax {
		return answerError("invalid-argument", "feeds: give 1 to %d", feedsMax)
	}
	for _, feed := range feeds {
		if err := feed.Check(); err != nil {
			return err
		}
	}
	return nil
}

// first tries every endpoint once, from the preferred one on.
func (c *Client) first(ctx context.Context, ask func(ctx context.Context, base string) error) error {
	failed := &AllFailedError{}
	count, start := len(c.config.Endpoints), int(c.preferred.Load())
	for i := 0; i < count; i++ {
		index := (start + i) % count
		base := c.config.Endpoints[index]
		err := c.within(ctx, base, ask)
		if err == nil {
			c.preferred.Store(int64(index))
			return nil
		}
		failed.Errors = append(failed.Errors, EndpointError{base, err})
		if ctx.Err() != nil {
			break
		}
	}
	return failed
}

func (c *Client) within(ctx context.Context, base string, ask func(ctx context.Context, base string) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	return ask(ctx, base)
}

// updateJSON is the part of the API's JSON that is read.
type updateJSON struct {
	Update *string
}

func (c *Client) getJSON(ctx context.Context, target string, into any) error {
	body, err := c.get(ctx, target)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return answerError("malformed", "%s", shown(err.Error()))
	}
	return nil
}

// accept verifies an update and checks that it is in the suite, and holds every feed, that was asked for.
func (c *Client) accept(answer *updateJSON, feeds []touchstone.Feed) (*touchstone.VerifiedUpdate, error) {
	// The decoder skips line ends.
	if answer == nil || answer.Update == nil || strings.ContainsAny(*answer.Update, "\r\n") {
		return nil, answerError("malformed", "update: must be Base64 text")
	}
	data, err := base64.StdEncoding.Strict().DecodeString(*answer.Update)
	if err != nil {
		return nil, answerError("malformed", "update: %v", err)
	}
	update, err := c.config.Verifier.Verify(data)
	if err != nil {
		return nil, err
	}
	if asked := c.config.Suite; asked != 0 && update.Suite() != asked {
		return nil, answerError("other-suite", "asked for a signature in %v, got one in %v", asked, update.Suite())
	}
	for _, feed := range feeds {
		if _, ok := update.Status(feed); !ok {
			return nil, answerError("other-feed", "asked for %s, the answer does not hold it", feed)
		}
	}
	return update, nil
}
