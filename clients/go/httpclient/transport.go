package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

const (
	userAgent        = "touchstone-client-go/0.1.0"
	problemBytesMax  = 16 << 10
	headerBytesMax   = 64 << 10
	redirectsMax     = 3
	textShownMax     = 200
	idlePerHostConns = 4
)

// newHTTP is a client that bounds headers and redirects; whole answers are timed by the context.
func newHTTP(config Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: config.ConnectTimeout}).DialContext
	transport.TLSHandshakeTimeout = config.ConnectTimeout
	transport.TLSClientConfig = config.TLS
	transport.MaxResponseHeaderBytes = headerBytesMax
	transport.MaxIdleConnsPerHost = idlePerHostConns
	// Compressed answers could unpack to any size.
	transport.DisableCompression = true
	return &http.Client{Transport: transport, CheckRedirect: checkRedirect}
}

func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) > redirectsMax {
		return errors.New("too many redirects")
	}
	last := via[len(via)-1].URL.Scheme
	if next.URL.Scheme != "https" && (next.URL.Scheme != "http" || last == "https") {
		return errors.New("redirected to where it must not be")
	}
	return nil
}

// baseURL checks an endpoint and returns it without a slash at its end.
func baseURL(text string) (string, error) {
	trimmed := strings.TrimRight(text, "/")
	parsed, err := url.Parse(trimmed)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" ||
		strings.ContainsAny(trimmed, "?#") {
		return "", answerError("config", "endpoint %q: must be an http or https URL without a query", text)
	}
	return trimmed, nil
}

// get returns the body of a whole answer.
func (c *Client) get(ctx context.Context, target string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, transportError(err)
	}
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("Accept", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, transportError(err)
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, problemOf(response)
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, answerError("malformed", "compressed, which was not asked for")
	}
	limit := c.config.BodyLimit
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, transportError(err)
	}
	if int64(len(body)) > limit {
		return nil, answerError("too-long", "the answer is longer than %d bytes", limit)
	}
	return body, nil
}

// problemOf is the error of an HTTP status, with the code of its problem document (RFC 9457) where there is one.
func problemOf(response *http.Response) error {
	var problem struct{ Code, Title, Detail string }
	if body, err := io.ReadAll(io.LimitReader(response.Body, problemBytesMax)); err != nil || json.Unmarshal(body, &problem) != nil {
		problem.Code, problem.Title, problem.Detail = "", "", ""
	}
	code := shown(first(problem.Code, "http"))
	detail := shown(first(problem.Detail, problem.Title, http.StatusText(response.StatusCode)))
	err := answerError(code, "HTTP %d: %s", response.StatusCode, detail)
	err.Status = response.StatusCode
	return err
}

func transportError(cause error) error {
	// The client's own text repeats the URL, which the caller has.
	var inURL *url.Error
	text := cause
	if errors.As(cause, &inURL) {
		text = inURL.Err
	}
	err := answerError("transport", "%s", shown(text.Error()))
	err.cause = cause
	return err
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// shown is a server's text without what could confuse a terminal.
func shown(text string) string {
	var out []rune
	for _, c := range text {
		if len(out) == textShownMax {
			break
		}
		if !unicode.IsControl(c) {
			out = append(out, c)
		}
	}
	return string(out)
}
