package touchstone

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/clients/go/internal/testnet"
)

func goodPin(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(vectorsFolder, "pin/network.json"))
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		t.Fatal(err)
	}
	return compact.Bytes()
}

func TestBrokenFormsAreRefused(t *testing.T) {
	good := string(goodPin(t))
	market := `{"source":"bitstamp","pair":"AAVE-USD"}`
	for _, change := range [][2]string{
		{`"network":"vectors"`, `"network":""`},
		{`"network":"vectors"`, `"network":"` + strings.Repeat("x", 65) + `"`},
		{`"network":"vectors"`, `"network":"\ud800"`},
		{`"network":"vectors"`, `"network":"\udc00\ud800"`},
		{`"network":"vectors"`, `"network":7`},
		{`"network":"vectors"`, `"network":null`},
		{`"network":"vectors"`, `"Network":"vectors"`},
		{`"network":"vectors"`, `"network":"vectors","network":"vectors"`},
		{`"network":"vectors"`, `"network":"vectors","more":1`},
		{`"network":"vectors",`, ``},
		{`"epoch":0`, `"epoch":1`},
		{`"epoch":0`, `"epoch":-0`},
		{`"epoch":0`, `"epoch":0.0`},
		{`"epoch":0`, `"epoch":"0"`},
		{`"epoch":0`, `"epoch":false`},
		{`"epoch":0`, `"epoch":99999999999999999999`},
		{`"epoch":0,`, ``},
		{`"previous":null`, `"previous":"` + strings.Repeat("00", 32) + `"`},
		{`"interval_ms":1000`, `"interval_ms":49`},
		{`"interval_ms":1000`, `"interval_ms":86400001`},
		{`"first_round":1790000000`, `"first_round":9007199254740993`},
		{`"f":1`, `"f":2`},
		{`"suites":["ed25519"]`, `"suites":[]`},
		{`"suites":["ed25519"]`, `"suites":["ed25519","ed25519"]`},
		{`"suites":["ed25519"]`, `"suites":["secp256k1-keccak","ed25519"]`},
		{`"suites":["ed25519"]`, `"suites":["other"]`},
		{`"suites":["ed25519"]`, `"suites":[1]`},
		{`"members":[`, `"members":[null,`},
		{`"id":1`, `"id":2`},
		{`"address":"127.0.0.1:9001"`, `"address":"localhost"`},
		{`"identity":"4a72`, `"identity":"4a`},
		{`"name":"AAVE-USD"`, `"name":"aave-usd"`},
		{`"name":"AAVE-USD"`, `"name":"ZAVE-USD"`},
		{`"exponent":-8`, `"exponent":-39`},
		{`"min_sources":2`, `"min_sources":0`},
		{`"min_sources":2`, `"min_sources":4`},
		{`"max_quote_age_ms":60000`, `"max_quote_age_ms":0`},
		{`"outlier_floor_ppm":2000`, `"outlier_floor_ppm":1000000`},
		{market, market + "," + market},
		{market, `{"source":"","pair":"AAVE-USD"}`},
		{market, `{"source":"bitstamp","pair":"BTC-USD"}`},
		{market, `{"source":"bitstamp","pair":"AAVE-JPY"}`},
		{market, `{"source":"bitstamp"}`},
		{`"coin_key":"`, `"coin_key":"00`},
		{`"coin_shares":[`, `"coin_shares":["` + strings.Repeat("00", 32) + `",`},
		{`"verifying_shares":[`, `"verifying_shares":["00",`},
		{`"verifying_shares":[`, `"verifying_shares":[null,`},
		{`"group_key":"`, `"group_key":"0`},
		{`"group_signatures":[`, `"group_signatures":["x",`},
		{`"later":[]`, `"later":{}`},
		{`"later":[]`, `"later":null`},
		{`"later":[]`, `"later":[{}]`},
		{`"later":[]`, `"later":[],"more":1`},
		{`"later":[]`, `"later":[]}{`},
	} {
		if !strings.Contains(good, change[0]) {
			t.Fatalf("the pin has no %s", change[0])
		}
		text := strings.Replace(good, change[0], change[1], 1)
		if code := pinCode([]byte(text)); code != "bad-pin" {
			t.Errorf("%s: %q", change[1], code)
		}
	}
	for _, text := range []string{"", "null", "[]", "7", "\xff", "\ufeff" + good, good + "x", strings.Repeat("[", 1e6), strings.Repeat("[", 99) + strings.Repeat("]", 99)} {
		if code := pinCode([]byte(text)); code != "bad-pin" {
			t.Errorf("%.20q: %q", text, code)
		}
	}
}

func TestPinsThatMayDiffer(t *testing.T) {
	good := string(goodPin(t))
	for _, change := range [][2]string{
		{``, ``},
		{`,"later":[]`, ``},
		{`"previous":null,`, ``},
		{`"transcript":"c513104a`, `"transcript":"C513104A`},
		{`"network":"vectors"`, `"network":"\u0076ectors"`},
	} {
		if code := pinCode([]byte(strings.Replace(good, change[0], change[1], 1))); code != "" {
			t.Errorf("%s: %q", change[1], code)
		}
	}
}

func TestSignaturesInAPin(t *testing.T) {
	good := string(goodPin(t))
	for _, c := range []struct{ from, to, code string }{
		{`"signature":"8940`, `"signature":"0940`, "bad-epoch-signature"},
		{`"signature":"8940`, `"signature":"`, "bad-epoch-signature"},
		{`"5dbb251e`, `"0dbb251e`, "bad-member-signature"},
	} {
		if code := pinCode([]byte(strings.Replace(good, c.from, c.to, 1))); code != c.code {
			t.Errorf("%s: %q, want %s", c.to, code, c.code)
		}
	}
}

func TestNoCharacterOfAPinCanBeChangedUnseen(t *testing.T) {
	good := goodPin(t)
	id := must(ParsePin(good)).NetworkID()
	random := rand.New(rand.NewSource(4))
	for i := 0; i < 300; i++ {
		text := append([]byte(nil), good...)
		at := random.Intn(len(text))
		text[at] = byte(random.Intn(128))
		pin, err := ParsePin(text)
		if err == nil {
			_, err = NewVerifierFromPin(pin)
		}
		// What passes is a hexadecimal digit of the other case.
		if err == nil && (pin.NetworkID() != id || !bytes.EqualFold(text, good)) {
			t.Errorf("byte %d: %q is taken for %q", at, text[at], good[at])
		}
	}
}

func FuzzParsePin(f *testing.F) {
	f.Add(goodPin(f))
	f.Add([]byte(`{"genesis_manifest":{},"genesis_record":{"keys":[{}]},"later":[{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if pin, err := ParsePin(text); err == nil {
			must(fmt.Sprint(pin.Network(), pin.Epoch(), pin.Feeds()), nil)
			_, _ = NewVerifierFromPin(pin)
		}
	})
}

var memberKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32))

// madePin is a pin of a network of one member.
func madePin(t *testing.T, suites ...Suite) map[string]any {
	t.Helper()
	manifest, record := madeEpoch(t, suites, func(map[string]any) {})
	return map[string]any{"genesis_manifest": manifest, "genesis_record": record}
}

// madeEpoch is a manifest, changed before it is signed, and the record of it.
func madeEpoch(t *testing.T, suites []Suite, change func(manifest map[string]any)) (m, record map[string]any) {
	t.Helper()
	m = must(parseJSON(goodPin(t))).(map[string]any)["genesis_manifest"].(map[string]any)
	identity := hex.EncodeToString(memberKey.Public().(ed25519.PublicKey))
	m["f"], m["members"] = int64(0), []any{map[string]any{"id": int64(0), "identity": identity, "address": "127.0.0.1:9000"}}
	names, keys, signatures := []any{}, []any{}, []any{}
	for _, suite := range suites {
		names = append(names, suite.String())
		key := testKeys()[suite-1].String()
		keys = append(keys, map[string]any{"suite": suite.String(), "group_key": key, "verifying_shares": []any{key}})
	}
	m["suites"] = names
	change(m)
	manifestHash := (&manifest{tree: m}).hash()
	zeros := strings.Repeat("00", 32)
	record = map[string]any{
		"epoch": m["epoch"], "manifest_hash": hex.EncodeToString(manifestHash[:]), "keys": keys,
		"coin_key": zeros, "coin_shares": []any{zeros}, "transcript": zeros,
	}
	digest := (&epochRecord{tree: record}).digest()
	for _, suite := range suites {
		signature := inSuite(testnet.NewUpdate(), suite).Sign(digest[:])
		signatures = append(signatures, map[string]any{"suite": suite.String(), "signature": hex.EncodeToString(signature)})
	}
	signed := ed25519.Sign(memberKey, append([]byte(memberTag), digest[:]...))
	record["member_signatures"], record["group_signatures"] = []any{hex.EncodeToString(signed)}, signatures
	return m, record
}

func TestEpochsFollowEachOther(t *testing.T) {
	suites := []Suite{Ed25519}
	for _, c := range []struct {
		name     string
		epoch    int64
		previous func(genesis [32]byte) string
		suites   []Suite
		code     string
	}{
		{"the next one", 1, func(h [32]byte) string { return hex.EncodeToString(h[:]) }, suites, ""},
		{"one left out", 2, func(h [32]byte) string { return hex.EncodeToString(h[:]) }, suites, "bad-pin"},
		{"after another one", 1, func([32]byte) string { return strings.Repeat("00", 32) }, suites, "bad-pin"},
		{"with another key", 1, func(h [32]byte) string { return hex.EncodeToString(h[:]) }, []Suite{Secp256k1Keccak}, "bad-pin"},
	} {
		pin := madePin(t, suites...)
		genesis := (&manifest{tree: pin["genesis_manifest"].(map[string]any)}).hash()
		later, record := madeEpoch(t, c.suites, func(m map[string]any) {
			m["epoch"], m["previous"] = c.epoch, c.previous(genesis)
		})
		pin["later"] = []any{map[string]any{"manifest": later, "record": record}}
		if code := pinCode(canonicalJSON(pin)); code != c.code {
			t.Errorf("%s: %q", c.name, code)
		}
	}
}

func TestAnIdentityForWhichAnybodyCanSignIsRefused(t *testing.T) {
	neutral := append([]byte{1}, make([]byte, 31)...)
	m, record := madeEpoch(t, []Suite{Ed25519}, func(m map[string]any) {
		m["members"].([]any)[0].(map[string]any)["identity"] = hex.EncodeToString(neutral)
	})
	record["member_signatures"] = []any{hex.EncodeToString(append(neutral, make([]byte, 32)...))}
	pin := canonicalJSON(map[string]any{"genesis_manifest": m, "genesis_record": record})
	if code := pinCode(pin); code != "bad-member-signature" {
		t.Errorf("%q", code)
	}
}

func TestPinsOfEitherSuiteAndOfBoth(t *testing.T) {
	for _, suites := range [][]Suite{{Ed25519}, {Secp256k1Keccak}, {Ed25519, Secp256k1Keccak}} {
		tree := madePin(t, suites...)
		pin := must(ParsePin(canonicalJSON(tree)))
		verifier, err := NewVerifierFromPin(pin)
		if err != nil {
			t.Fatalf("%v: %v", suites, err)
		}
		for _, suite := range suites {
			update := inSuite(testnet.NewUpdate(), suite)
			update.NetworkID = pin.NetworkID()
			if _, err := verifier.Verify(update.Bytes()); err != nil {
				t.Errorf("%v: %v", suite, err)
			}
		}
		record := tree["genesis_record"].(map[string]any)
		signatures := record["group_signatures"].([]any)
		record["group_signatures"] = signatures[:len(signatures)-1]
		if code := pinCode(canonicalJSON(tree)); code != "bad-epoch-signature" {
			t.Errorf("%v, one missing: %q", suites, code)
		}
	}
}

func TestAPinSaysWhatItPins(t *testing.T) {
	pin := must(LoadPin(filepath.Join(vectorsFolder, "pin/two-epochs.json")))
	if pin.Network() != "vectors" || pin.Epoch() != 1 || len(pin.Feeds()) != 11 || pin.Feeds()[2] != "BTC-USD" {
		t.Error(pin.Network(), pin.Epoch(), pin.Feeds())
	}
	if _, err := LoadPin(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) {
		t.Error(err)
	}
}

func TestCanonicalText(t *testing.T) {
	value := map[string]any{"b": []any{int64(1), nil, "\b\f\n\r\t\x1f\"\\/é\u2028<&>"}, "a": "\U0001f600"}
	want := `{"a":"😀","b":[1,null,"\b\f\n\r\t\u001f\"\\/é` + "\u2028" + `<&>"]}`
	if got := string(canonicalJSON(value)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSurrogates(t *testing.T) {
	for text, lone := range map[string]bool{
		`"\ud83d\ude00"`: false, `"\\ud800"`: false, `"\\\ud800"`: true, `"\ud800"`: true, `"\ud800\n"`: true,
		`"\ud800x"`: true, `"\udc00"`: true, `"\ud800\ud800"`: true, `"\ud800\u0041"`: true, `"\uD83D\uDE00\ud83d"`: true, `"\u0041"`: false,
	} {
		if _, err := parseJSON([]byte(text)); hasLoneSurrogate([]byte(text)) != lone || (err != nil) != lone {
			t.Errorf("%s: %v", text, err)
		}
	}
}
