package httpclient

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	touchstone "touchstone/clients/go"
)

const (
	ed  = touchstone.Ed25519
	evm = touchstone.Secp256k1Keccak
)

// signedTwice is a round of the shared vectors, signed in both suites.
type signedTwice struct {
	networkID [32]byte
	keys      map[touchstone.Suite]touchstone.GroupKey
	updates   map[touchstone.Suite]string
	feed      touchstone.Feed
}

func readSignedTwice(t *testing.T) signedTwice {
	t.Helper()
	twice := signedTwice{
		keys:    make(map[touchstone.Suite]touchstone.GroupKey),
		updates: make(map[touchstone.Suite]string),
	}
	for _, suite := range []touchstone.Suite{ed, evm} {
		text, err := os.ReadFile(filepath.Join("../../../tests/vectors/update/valid", "both-pinned-"+suite.String()+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var vector struct {
			NetworkID string            `json:"network_id"`
			GroupKeys map[string]string `json:"group_keys"`
			Update    string
			Valid     struct {
				Entries []struct{ Feed touchstone.Feed }
			}
		}
		if err := json.Unmarshal(text, &vector); err != nil {
			t.Fatal(err)
		}
		copy(twice.networkID[:], unhex(t, vector.NetworkID))
		if twice.keys[suite], err = touchstone.NewGroupKey(suite, unhex(t, vector.GroupKeys[suite.String()])); err != nil {
			t.Fatal(err)
		}
		twice.updates[suite] = fmt.Sprintf(`{"update":%q}`, base64.StdEncoding.EncodeToString(unhex(t, vector.Update)))
		twice.feed = vector.Valid.Entries[0].Feed
	}
	return twice
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (s signedTwice) client(t *testing.T, asked touchstone.Suite, pinned []touchstone.Suite, urls ...string) *Client {
	t.Helper()
	var keys []touchstone.GroupKey
	for _, suite := range pinned {
		keys = append(keys, s.keys[suite])
	}
	verifier, err := touchstone.NewVerifier(s.networkID, keys...)
	if err != nil {
		t.Fatal(err)
	}
	client, err := New(Config{Verifier: verifier, Endpoints: urls, Suite: asked})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// endpoint answers every kind of request in one suite, whatever is asked, and keeps what was asked.
type endpoint struct {
	url   string
	mutex sync.Mutex
	asked []*url.URL
}

func (s signedTwice) serve(t *testing.T, suite touchstone.Suite) *endpoint {
	t.Helper()
	e := &endpoint{}
	e.url = serve(t, func(w http.ResponseWriter, r *http.Request) {
		e.mutex.Lock()
		e.asked = append(e.asked, r.URL)
		e.mutex.Unlock()
		body := s.updates[suite]
		if strings.HasSuffix(r.URL.Path, "/at") {
			body = `{"before":` + body + `,"after":` + body + `}`
		}
		answer(body)(w, r)
	})
	return e
}

// queries is the suites of each request, in the order of every.
func (e *endpoint) queries(t *testing.T, feed touchstone.Feed) [][]string {
	t.Helper()
	paths := []string{"/v1/feeds/" + string(feed) + "/latest", "/v1/updates/latest", "/v1/feeds/" + string(feed) + "/at"}
	suites := make([][]string, len(e.asked))
	for i, asked := range e.asked {
		if asked.Path != paths[i] {
			t.Errorf("%v", asked)
		}
		suites[i] = asked.Query()["suite"]
	}
	return suites
}

// every is the codes of each kind of request. A round twice is no pair, and is refused as such once its suite is right.
func every(client *Client, feed touchstone.Feed) []string {
	_, one := client.Latest(context.Background(), feed)
	_, two := client.Latest(context.Background(), feed, feed)
	_, _, pair := client.Around(context.Background(), feed, 0)
	return []string{touchstone.Code(one), touchstone.Code(two), touchstone.Code(pair)}
}

var fine = []string{"", "", "no-pair"}

func TestWithoutAnEd25519KeyTheLowestPinnedSuiteIsAskedFor(t *testing.T) {
	twice := readSignedTwice(t)
	for _, c := range []struct {
		pinned []touchstone.Suite
		want   []string
	}{
		{[]touchstone.Suite{ed}, nil},
		{[]touchstone.Suite{evm, ed}, nil},
		{[]touchstone.Suite{evm}, []string{"secp256k1-keccak"}},
	} {
		server := twice.serve(t, c.pinned[0])
		if codes := every(twice.client(t, 0, c.pinned, server.url), twice.feed); !reflect.DeepEqual(codes, fine) {
			t.Errorf("%v: %q", c.pinned, codes)
		}
		if got := server.queries(t, twice.feed); !reflect.DeepEqual(got, [][]string{c.want, c.want, c.want}) {
			t.Errorf("%v: asked for %q", c.pinned, got)
		}
	}
}

func TestTheSuiteIsAskedForAndAnotherOneRefused(t *testing.T) {
	twice, both := readSignedTwice(t), []touchstone.Suite{ed, evm}
	for suite, other := range map[touchstone.Suite]touchstone.Suite{ed: evm, evm: ed} {
		willing, stubborn := twice.serve(t, suite), twice.serve(t, other)
		if codes := every(twice.client(t, suite, both, willing.url), twice.feed); !reflect.DeepEqual(codes, fine) {
			t.Errorf("%v: %q", suite, codes)
		}
		want := []string{suite.String()}
		if got := willing.queries(t, twice.feed); !reflect.DeepEqual(got, [][]string{want, want, want}) {
			t.Errorf("%v: asked for %q", suite, got)
		}
		codes := every(twice.client(t, suite, both, stubborn.url), twice.feed)
		if !reflect.DeepEqual(codes, []string{"other-suite", "other-suite", "other-suite"}) {
			t.Errorf("%v: %q", suite, codes)
		}
		// Any pinned suite will do for whoever names none.
		if codes := every(twice.client(t, 0, both, stubborn.url), twice.feed); !reflect.DeepEqual(codes, fine) {
			t.Errorf("%v: %q", suite, codes)
		}
		// An endpoint in another suite is passed over.
		update, err := twice.client(t, suite, both, stubborn.url, willing.url).Latest(context.Background(), twice.feed)
		if err != nil || update.Suite() != suite {
			t.Errorf("%v, %v", update, err)
		}
	}
}

func TestWhatIsNotAuthenticIsThatFirstAndTheSuiteComesBeforeTheFeed(t *testing.T) {
	twice := readSignedTwice(t)
	server := twice.serve(t, evm)
	for _, c := range []struct {
		asked  touchstone.Suite
		pinned []touchstone.Suite
		want   string
	}{
		{ed, []touchstone.Suite{ed}, "unsupported-suite"},
		{ed, []touchstone.Suite{ed, evm}, "other-suite"},
		{evm, []touchstone.Suite{ed, evm}, "other-feed"},
	} {
		_, err := twice.client(t, c.asked, c.pinned, server.url).Latest(context.Background(), "NO-FEED")
		if touchstone.Code(err) != c.want {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestANetworkThatLacksTheSuiteSaysSo(t *testing.T) {
	twice := readSignedTwice(t)
	lacks := `{"code":"invalid-query","detail":"suite (secp256k1-keccak): this network signs with ed25519"}`
	client := twice.client(t, 0, []touchstone.Suite{evm}, serve(t, answerStatus(http.StatusBadRequest, lacks)))
	_, err := client.Latest(context.Background(), twice.feed)
	if touchstone.Code(err) != "invalid-query" || !strings.Contains(err.Error(), "this network signs with ed25519") {
		t.Error(err)
	}
}

func TestOnlyTheNetworksSuitesCanBeAskedFor(t *testing.T) {
	for _, config := range []Config{
		{Verifier: verifier, Suite: 3},
		{Verifier: verifier, Suite: 255},
		{Verifier: &touchstone.Verifier{}},
	} {
		config.Endpoints = []string{down}
		if _, err := New(config); touchstone.Code(err) != "config" {
			t.Errorf("%v: %v", config.Suite, err)
		}
	}
}

func TestAnAggregatorGivesEverySuiteOfItsNetworkToWhoeverPinsThatOneAlone(t *testing.T) {
	endpoint, path := os.Getenv("TOUCHSTONE_URL"), os.Getenv("TOUCHSTONE_PIN")
	if endpoint == "" || path == "" {
		text := "set TOUCHSTONE_URL and TOUCHSTONE_PIN to try a network that runs"
		if strings.Contains(os.Getenv("TOUCHSTONE_REQUIRE"), "all") {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pin, err := touchstone.ParsePin(text)
	if err != nil {
		t.Fatal(err)
	}
	var record struct {
		Genesis struct {
			Keys []struct {
				Suite string
				Key   string `json:"group_key"`
			}
		} `json:"genesis_record"`
	}
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatal(err)
	}
	for _, pinned := range record.Genesis.Keys {
		suite, err := touchstone.ParseSuite(pinned.Suite)
		if err != nil {
			t.Fatal(err)
		}
		key, err := touchstone.NewGroupKey(suite, unhex(t, pinned.Key))
		if err != nil {
			t.Fatal(err)
		}
		network := signedTwice{networkID: pin.NetworkID(), keys: map[touchstone.Suite]touchstone.GroupKey{suite: key}}
		client := network.client(t, 0, []touchstone.Suite{suite}, endpoint)
		latest, err := client.Latest(context.Background(), pin.Feeds()...)
		if err != nil || latest.Suite() != suite {
			t.Fatalf("%v: %v, %v", suite, latest, err)
		}
		before, after, err := client.Around(context.Background(), pin.Feeds()[0], latest.TimestampMs()-1)
		if err != nil || before.Suite() != suite || after.Suite() != suite {
			t.Errorf("%v: %v, %v, %v", suite, before, after, err)
		}
	}
}
