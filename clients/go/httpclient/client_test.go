package httpclient

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	touchstone "touchstone/clients/go"
	"touchstone/clients/go/internal/testnet"
)

// Nobody listens on the discard port of the loopback.
const down = "http://127.0.0.1:9"

var (
	verifier = func() *touchstone.Verifier {
		key, err := touchstone.NewGroupKey(touchstone.Ed25519, testnet.Group.Public().(ed25519.PublicKey))
		if err != nil {
			panic(err)
		}
		v, err := touchstone.NewVerifier(testnet.NetworkID, key)
		if err != nil {
			panic(err)
		}
		return v
	}()
	fresh = touchstone.FreshAt(time.UnixMilli(testnet.Now), 10*time.Second)
	good  = testnet.NewUpdate().JSON()
)

type handler = http.HandlerFunc

func serve(t *testing.T, h handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func answer(body string) handler { return answerStatus(http.StatusOK, body) }

func answerStatus(status int, body string) handler {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func lie() string {
	update := testnet.NewUpdate()
	update.Sign = testnet.SignWith(testnet.Stranger)
	return update.JSON()
}

func newClient(t *testing.T, urls ...string) *Client {
	t.Helper()
	client, err := New(Config{Verifier: verifier, Endpoints: urls, Timeout: 2 * time.Second, BodyLimit: 4_096})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func priceCode(t *testing.T, h handler) string {
	t.Helper()
	_, err := newClient(t, serve(t, h)).Price(context.Background(), "BTC-USD", fresh)
	return touchstone.Code(err)
}

func TestTheSignedNumberCountsAndNotTheJSON(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() != "/v1/feeds/BTC-USD/latest" || r.Header.Get("Accept-Encoding") != "" || r.UserAgent() != userAgent {
			t.Errorf("%v %v", r.URL, r.Header)
		}
		answer(good)(w, r)
	})
	price, err := newClient(t, url+"///").Price(context.Background(), "BTC-USD", fresh)
	if err != nil || price.Price.String() != "67000.00000000" || price.Round != testnet.Round {
		t.Errorf("%+v, %v", price, err)
	}
}

func TestSeveralFeedsComeUnderOneSignature(t *testing.T) {
	both := testnet.NewUpdate(testnet.NewLeaf("BTC-USD", testnet.Price), testnet.NewLeaf("ETH-USD", 7)).JSON()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() != "/v1/updates/latest?feeds=ETH-USD,BTC-USD" {
			t.Errorf("%v", r.URL)
		}
		answer(both)(w, r)
	})
	client := newClient(t, url)
	prices, err := client.Prices(context.Background(), []touchstone.Feed{"ETH-USD", "BTC-USD"}, fresh)
	if err != nil || len(prices) != 2 || prices["ETH-USD"].Price.String() != "0.00000007" {
		t.Errorf("%v, %v", prices, err)
	}
	update, err := client.Latest(context.Background(), "ETH-USD", "BTC-USD")
	if err != nil || !reflect.DeepEqual(update.Feeds(), []touchstone.Feed{"BTC-USD", "ETH-USD"}) {
		t.Errorf("%v, %v", update, err)
	}
}

func TestEndpointsThatAreDownLateOrLyingArePassedOver(t *testing.T) {
	old := testnet.NewUpdate()
	old.Round, old.TimestampMs = testnet.Round-60, testnet.Now-60_000
	urls := []string{
		down,
		serve(t, answerStatus(http.StatusServiceUnavailable, `{"code":"not-ready","title":"Not ready\u001b[31m"}`)),
		serve(t, answer(old.JSON())),
		serve(t, answer(lie())),
		serve(t, answer(good)),
	}
	if _, err := newClient(t, urls...).Price(context.Background(), "BTC-USD", fresh); err != nil {
		t.Error(err)
	}
	_, err := newClient(t, urls[:4]...).Price(context.Background(), "BTC-USD", fresh)
	var failed *AllFailedError
	if !errors.As(err, &failed) {
		t.Fatalf("%v", err)
	}
	var codes []string
	for _, e := range failed.Errors {
		codes = append(codes, touchstone.Code(e.Err))
	}
	if want := []string{"transport", "not-ready", "too-old", "bad-signature"}; !reflect.DeepEqual(codes, want) {
		t.Errorf("%v, want %v", codes, want)
	}
	var status *AnswerError
	if !errors.As(failed.Errors[1].Err, &status) || status.Status != 503 {
		t.Errorf("%v", failed.Errors[1])
	}
	if touchstone.Code(err) != "too-old" || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%q", err)
	}
	if forged := (&AllFailedError{failed.Errors[1:2]}); forged.Code() != "not-ready" {
		t.Error(forged.Code())
	}
	if forged := (&AllFailedError{[]EndpointError{failed.Errors[0], failed.Errors[3]}}); forged.Code() != "bad-signature" {
		t.Error(forged.Code())
	}
	if empty := (&AllFailedError{}); empty.Code() != "" || empty.MainCause() != nil {
		t.Error(empty)
	}
}

func TestAnOlderRoundIsRefusedWhereTheCallerKeepsTheLastOne(t *testing.T) {
	_, err := newClient(t, serve(t, answer(good))).Price(context.Background(), "BTC-USD", fresh.NewerThan(testnet.Round))
	if touchstone.Code(err) != "not-newer" {
		t.Error(err)
	}
}

func TestTheEndpointThatAnsweredIsAskedFirst(t *testing.T) {
	var asked atomic.Int32
	broken := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		answerStatus(http.StatusBadGateway, "{}")(w, r)
	})
	client := newClient(t, broken, serve(t, answer(good)))
	for i := 0; i < 3; i++ {
		if _, err := client.Latest(context.Background(), "BTC-USD"); err != nil {
			t.Error(err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestAnswersAboutSomethingElseAreRefused(t *testing.T) {
	if code := priceCode(t, answer(testnet.NewUpdate(testnet.NewLeaf("ETH-USD", 7)).JSON())); code != "other-feed" {
		t.Error(code)
	}
	other := testnet.NewUpdate()
	other.NetworkID = [32]byte{}
	if code := priceCode(t, answer(other.JSON())); code != "wrong-network" {
		t.Error(code)
	}
	_, err := newClient(t, serve(t, answer(good))).Prices(context.Background(), []touchstone.Feed{"BTC-USD", "ETH-USD"}, fresh)
	if touchstone.Code(err) != "other-feed" {
		t.Error(err)
	}
}

func TestMalformedAnswersAreRefused(t *testing.T) {
	for _, body := range []string{
		"", "no json", "null", "[]", "{}", strings.Repeat("[", 2_000), `{"update":1}`, `{"update":null}`, `{"update":{"update":""}}`,
		`{"update":"no base64"}`, `{"update":"AQE"}`, `{"update":"AQF="}`, `{"update":"A\nQE="}`, `{"update":"\ud800"}`, "\xff", good + "x",
	} {
		if code := priceCode(t, answer(body)); code != "malformed" {
			t.Errorf("%.40q: %q", body, code)
		}
	}
	for body, want := range map[string]string{
		`{"update":"AQE="}`:                         "truncated",
		`{"update":""}`:                             "truncated",
		strings.Repeat(" ", 100_000):                "too-long",
		strings.TrimSuffix(good, "}") + `,"x":1.5}`: "",
	} {
		if code := priceCode(t, answer(body)); code != want {
			t.Errorf("%.40q: %q, want %q", body, code, want)
		}
	}
	compressed := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		answer(good)(w, r)
	}
	if code := priceCode(t, compressed); code != "malformed" {
		t.Error(code)
	}
}

func TestErrorsOfHTTPKeepTheirCode(t *testing.T) {
	for _, c := range []struct {
		status     int
		body, want string
	}{
		{404, `{"code":"unknown-feed"}`, "unknown-feed"},
		{404, `{"code":7}`, "http"},
		{500, "<html>", "http"},
		{500, strings.Repeat("x", 100_000), "http"},
		{302, "", "http"},
		{304, "", "http"},
		{400, `{"code":"` + strings.Repeat("c", 999) + `"}`, strings.Repeat("c", 200)},
	} {
		if code := priceCode(t, answerStatus(c.status, c.body)); code != c.want {
			t.Errorf("%d %.40q: %q", c.status, c.body, code)
		}
	}
}

// rawServer is a server below HTTP.
func rawServer(t *testing.T, talk func(net.Conn, <-chan struct{})) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	t.Cleanup(func() {
		close(stop)
		listener.Close()
	})
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				_, _ = connection.Read(make([]byte, 4_096))
				talk(connection, stop)
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

func drip(start string) func(net.Conn, <-chan struct{}) {
	return func(connection net.Conn, stop <-chan struct{}) {
		_, err := io.WriteString(connection, start)
		for err == nil {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				_, err = io.WriteString(connection, "x")
			}
		}
	}
}

func TestAnEndpointThatNeverEndsItsAnswerIsLeft(t *testing.T) {
	for name, talk := range map[string]func(net.Conn, <-chan struct{}){
		"silent":       func(_ net.Conn, stop <-chan struct{}) { <-stop },
		"drips header": drip("HTTP/1.1 200 OK\r\nx: "),
		"drips body":   drip("HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			config := Config{Verifier: verifier, Endpoints: []string{rawServer(t, talk), serve(t, answer(good))}, Timeout: 300 * time.Millisecond}
			client, err := New(config)
			if err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			if _, err := client.Price(context.Background(), "BTC-USD", fresh); err != nil {
				t.Error(err)
			}
			if took := time.Since(started); took > 2*time.Second {
				t.Errorf("%v", took)
			}
		})
	}
}

func TestAnswersThatAreNoHTTPOrTooLong(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no http":      {"hello\r\n\r\n", "transport"},
		"cut":          {"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n{", "transport"},
		"long headers": {"HTTP/1.1 200 OK\r\nx: " + strings.Repeat("x", 200_000), "transport"},
		"endless":      {"HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat(" ", 1_000_000), "too-long"},
	} {
		url := rawServer(t, func(connection net.Conn, _ <-chan struct{}) { _, _ = io.WriteString(connection, c.text) })
		_, err := newClient(t, url).Latest(context.Background(), "BTC-USD")
		if touchstone.Code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func redirect(target string) handler {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusFound)
	}
}

func TestRedirectsAreFollowedAndWhatComesIsVerified(t *testing.T) {
	if code := priceCode(t, redirect(serve(t, answer(good))+"/elsewhere")); code != "" {
		t.Error(code)
	}
	if code := priceCode(t, redirect(serve(t, answer(lie())))); code != "bad-signature" {
		t.Error(code)
	}
	for _, target := range []string{"/again", "ftp://127.0.0.1/", "file:///etc/passwd", "http://["} {
		var asked atomic.Int32
		code := priceCode(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			redirect(target)(w, r)
		})
		if code != "transport" || asked.Load() > 1+redirectsMax {
			t.Errorf("%q: %q, asked %d times", target, code, asked.Load())
		}
	}
}

func TestThreeRedirectsAreFollowedAndNoFourth(t *testing.T) {
	url := serve(t, answer(good))
	for _, want := range []string{"", "", "", "transport"} {
		url = serve(t, redirect(url))
		_, err := newClient(t, url).Price(context.Background(), "BTC-USD", fresh)
		if touchstone.Code(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestARedirectFromHTTPSToHTTPIsNotFollowed(t *testing.T) {
	server := httptest.NewUnstartedServer(redirect(serve(t, answer(good))))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	trusted := server.Client().Transport.(*http.Transport).TLSClientConfig
	client, err := New(Config{Verifier: verifier, Endpoints: []string{server.URL}, TLS: trusted})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Latest(context.Background(), "BTC-USD"); touchstone.Code(err) != "transport" || !strings.Contains(err.Error(), "redirected") {
		t.Error(err)
	}
	if _, err := newClient(t, server.URL).Latest(context.Background(), "BTC-USD"); touchstone.Code(err) != "transport" {
		t.Errorf("an unknown certificate: %v", err)
	}
}

func TestConfigurationsAreChecked(t *testing.T) {
	for _, url := range []string{"", "not a url", "ftp://h", "http://h?x=1", "http://h#x", "http://", "http://[", "h:80"} {
		if _, err := New(Config{Verifier: verifier, Endpoints: []string{url}}); touchstone.Code(err) != "config" {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, config := range []Config{
		{Endpoints: []string{down}},
		{Verifier: verifier},
		{Verifier: verifier, Endpoints: []string{down}, Timeout: -1},
		{Verifier: verifier, Endpoints: []string{down}, BodyLimit: -1},
	} {
		if _, err := New(config); touchstone.Code(err) != "config" {
			t.Errorf("%+v: %v", config, err)
		}
	}
	client := newClient(t, down)
	for _, feeds := range [][]touchstone.Feed{nil, {"btc"}, {"../x"}, make([]touchstone.Feed, 256)} {
		if _, err := client.Latest(context.Background(), feeds...); !strings.HasPrefix(touchstone.Code(err), "invalid-") {
			t.Errorf("%v: %v", feeds, err)
		}
	}
	if _, _, err := client.Around(context.Background(), "x", 0); touchstone.Code(err) != "invalid-feed-name" {
		t.Error(err)
	}
}

func TestThePairAroundAnInstantIsChecked(t *testing.T) {
	item := func(steps int) string {
		update := testnet.NewUpdate()
		update.Round += uint64(steps)
		update.TimestampMs += uint64(steps) * 1_000
		return update.JSON()
	}
	for _, c := range []struct{ before, after, want string }{
		{item(0), item(1), ""},
		{item(0), "null", "no-next-yet"},
		{item(1), item(0), "no-pair"},
		{item(1), item(2), "not-around"},
		{item(0), lie(), "bad-signature"},
		{`"x"`, "null", "malformed"},
		{"null", "null", "malformed"},
		{item(0), "{}", "malformed"},
	} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.String() != fmt.Sprintf("/v1/feeds/BTC-USD/at?timestamp_ms=%d", testnet.Now+500) {
				t.Errorf("%v", r.URL)
			}
			answer(`{"before":`+c.before+`,"after":`+c.after+`}`)(w, r)
		})
		before, after, err := newClient(t, url).Around(context.Background(), "BTC-USD", testnet.Now+500)
		if touchstone.Code(err) != c.want {
			t.Errorf("%v, want %q", err, c.want)
		}
		if (err == nil) != (before != nil && after != nil) {
			t.Errorf("%v, %v, %v", before, after, err)
		}
	}
}

func TestACancelledCallTriesNoFurther(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	first := serve(t, func(http.ResponseWriter, *http.Request) { cancel() })
	second := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	_, err := newClient(t, first, second).Latest(ctx, "BTC-USD")
	var failed *AllFailedError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &failed) || len(failed.Errors) != 1 {
		t.Error(err)
	}
}

func TestGoroutinesMayShareAClient(t *testing.T) {
	client := newClient(t, down, serve(t, answer(good)))
	var wait sync.WaitGroup
	for i := 0; i < 16; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if _, err := client.Price(context.Background(), "BTC-USD", fresh); err != nil {
				t.Error(err)
			}
		}()
	}
	wait.Wait()
}
