//! What every adapter must do, tried on one valid body of every exchange and endpoint.
//!
//! The bodies are written by hand in the exchanges' shapes. `PRICE` stands for the number that must come out as the
//! price, `TIME` for the time of the trade in the exchange's own unit.

use touchstone_types::{Decimal, FeedName};

use super::{EXCHANGES, Exchange, ParseError};
use crate::{Endpoint, Quote};

use Endpoint::{Ticker, Trades, Ws};

/// How a body says when its trade was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unit {
    /// It does not.
    None,
    S,
    Ms,
    Us,
    Ns,
    Iso,
}

struct Sample {
    source: &'static str,
    endpoint: Endpoint,
    /// Whether it says which pair it is about.
    named: bool,
    time: Unit,
    body: &'static str,
}

/// The pair that all bodies are about.
const PAIR: &str = "ETH-USDT";
/// The moment of every trade, and how each unit writes it.
const AT_MS: u64 = 1_700_000_001_234;

const fn sample(
    source: &'static str,
    endpoint: Endpoint,
    named: bool,
    time: Unit,
    body: &'static str,
) -> Sample {
    Sample {
        source,
        endpoint,
        named,
        time,
        body,
    }
}

#[rustfmt::skip]
const SAMPLES: &[Sample] = &[
    sample("coinbase", Ticker, false, Unit::Iso, r#"{"ask":"3001.3","bid":"3001.2","volume":"912.5","trade_id":52,"price":PRICE,"size":"0.2","time":TIME}"#),
    sample("coinbase", Trades, false, Unit::Iso, r#"[{"time":TIME,"trade_id":52,"price":PRICE,"size":"0.2","side":"sell"}]"#),
    sample("coinbase", Ws, true, Unit::Iso, r#"{"type":"match","trade_id":52,"side":"sell","size":"0.2","price":PRICE,"product_id":"ETH-USDT","sequence":7,"time":TIME}"#),
    sample("coinbase", Ws, true, Unit::Iso, r#"{"type":"ticker","sequence":7,"product_id":"ETH-USDT","price":PRICE,"volume_24h":"912.5","best_bid":"3001.2","side":"buy","time":TIME,"trade_id":52}"#),
    sample("kraken", Ticker, true, Unit::None, r#"{"error":[],"result":{"ETHUSDT":{"a":["3001.3","1","1.000"],"b":["3001.2","1","1.000"],"c":[PRICE,"0.2"],"v":["5","912.5"]}}}"#),
    sample("kraken", Trades, true, Unit::S, r#"{"error":[],"result":{"ETHUSDT":[[PRICE,"0.2",TIME,"b","l","",52]],"last":"1700000001234567890"}}"#),
    sample("kraken", Ws, true, Unit::S, r#"[17,[[PRICE,"0.2",TIME,"s","l",""]],"trade","ETH/USDT"]"#),
    sample("kraken", Ws, true, Unit::Iso, r#"{"channel":"trade","type":"update","data":[{"symbol":"ETH/USDT","side":"buy","price":PRICE,"qty":0.2,"trade_id":52,"timestamp":TIME}]}"#),
    sample("kraken", Ws, true, Unit::None, r#"{"channel":"ticker","type":"update","data":[{"symbol":"ETH/USDT","bid":3001.2,"last":PRICE,"volume":912.5}]}"#),
    sample("binance", Ticker, true, Unit::None, r#"{"symbol":"ETHUSDT","lastPrice":PRICE,"volume":"912.5","openTime":1699913609000,"closeTime":1700000009999}"#),
    sample("binance", Trades, false, Unit::Ms, r#"[{"a":52,"p":PRICE,"q":"0.2","f":1,"l":1,"T":TIME,"m":true,"M":true}]"#),
    sample("binance", Ws, true, Unit::Ms, r#"{"e":"trade","E":1700000009999,"s":"ETHUSDT","t":52,"p":PRICE,"q":"0.2","T":TIME,"m":true,"M":true}"#),
    sample("binance_us", Ticker, true, Unit::None, r#"{"symbol":"ETHUSDT","lastPrice":PRICE,"volume":"912.5","openTime":1699913609000,"closeTime":1700000009999}"#),
    sample("binance_us", Trades, false, Unit::Ms, r#"[{"a":52,"p":PRICE,"q":"0.2","f":1,"l":1,"T":TIME,"m":true,"M":true}]"#),
    sample("binance_us", Ws, true, Unit::Ms, r#"{"stream":"ethusdt@aggTrade","data":{"e":"aggTrade","E":1700000009999,"s":"ETHUSDT","p":PRICE,"q":"0.2","T":TIME,"m":true}}"#),
    sample("bitstamp", Ticker, false, Unit::None, r#"{"timestamp":"1700000009","open":"3010","last":PRICE,"volume":"912.5","bid":"3001.2","ask":"3001.3"}"#),
    sample("bitstamp", Trades, false, Unit::S, r#"[{"date":TIME,"tid":"52","amount":"0.2","type":"0","price":PRICE}]"#),
    sample("bitstamp", Ws, true, Unit::Us, r#"{"data":{"id":52,"timestamp":"1700000009","amount_str":"0.2","price":9,"price_str":PRICE,"microtimestamp":TIME},"channel":"live_trades_ethusdt","event":"trade"}"#),
    sample("okx", Ticker, true, Unit::None, r#"{"code":"0","msg":"","data":[{"instId":"ETH-USDT","last":PRICE,"vol24h":"912.5","ts":"1700000009999"}]}"#),
    sample("okx", Trades, true, Unit::Ms, r#"{"code":"0","msg":"","data":[{"instId":"ETH-USDT","side":"sell","sz":"0.2","px":PRICE,"tradeId":"52","ts":TIME}]}"#),
    sample("okx", Ws, true, Unit::Ms, r#"{"arg":{"channel":"trades","instId":"ETH-USDT"},"data":[{"instId":"ETH-USDT","tradeId":"52","px":PRICE,"sz":"0.2","side":"buy","ts":TIME}]}"#),
    sample("okx", Ws, true, Unit::None, r#"{"arg":{"channel":"tickers","instId":"ETH-USDT"},"data":[{"instId":"ETH-USDT","last":PRICE,"vol24h":"912.5","ts":"1700000009999"}]}"#),
    sample("bybit", Ticker, true, Unit::None, r#"{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[{"symbol":"ETHUSDT","lastPrice":PRICE,"volume24h":"912.5"}]},"time":1700000009999}"#),
    sample("bybit", Trades, true, Unit::Ms, r#"{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[{"execId":"52","symbol":"ETHUSDT","price":PRICE,"size":"0.2","time":TIME,"isBlockTrade":false}]},"time":1700000009999}"#),
    sample("bybit", Ws, true, Unit::Ms, r#"{"topic":"publicTrade.ETHUSDT","type":"snapshot","ts":1700000009999,"data":[{"T":TIME,"s":"ETHUSDT","S":"Buy","v":"0.2","p":PRICE,"i":"52","BT":false}]}"#),
    sample("bybit", Ws, true, Unit::None, r#"{"topic":"tickers.ETHUSDT","ts":1700000009999,"type":"snapshot","data":{"symbol":"ETHUSDT","lastPrice":PRICE,"volume24h":"912.5"}}"#),
    sample("kucoin", Ticker, true, Unit::None, r#"{"code":"200000","data":{"time":1700000009999,"symbol":"ETH-USDT","vol":"912.5","last":PRICE}}"#),
    sample("kucoin", Trades, false, Unit::Ns, r#"{"code":"200000","data":[{"sequence":"52","price":PRICE,"size":"0.2","side":"buy","time":TIME}]}"#),
    sample("kucoin", Ws, true, Unit::Ns, r#"{"type":"message","topic":"/market/match:ETH-USDT","subject":"trade.l3match","data":{"symbol":"ETH-USDT","price":PRICE,"size":"0.2","time":TIME}}"#),
    sample("kucoin", Ws, true, Unit::None, r#"{"type":"message","topic":"/market/ticker:ETH-USDT","subject":"trade.ticker","data":{"price":PRICE,"bestAsk":"3001.3","time":1700000009999}}"#),
    sample("gateio", Ticker, true, Unit::None, r#"[{"currency_pair":"ETH_USDT","last":PRICE,"base_volume":"912.5","quote_volume":"1"}]"#),
    sample("gateio", Trades, true, Unit::Ms, r#"[{"id":"52","create_time":"1700000009","create_time_ms":TIME,"currency_pair":"ETH_USDT","side":"buy","amount":"0.2","price":PRICE}]"#),
    sample("gateio", Ws, true, Unit::Ms, r#"{"time":1700000009,"channel":"spot.trades","event":"update","result":{"id":52,"create_time_ms":TIME,"currency_pair":"ETH_USDT","amount":"0.2","price":PRICE}}"#),
    sample("gateio", Ws, true, Unit::None, r#"{"time":1700000009,"channel":"spot.tickers","event":"update","result":{"currency_pair":"ETH_USDT","last":PRICE,"base_volume":"912.5"}}"#),
    sample("bitfinex", Ticker, false, Unit::None, "[3001.2,5.1,3001.3,7.25,-12.5,-0.0042,PRICE,912.5,3050,2980]"),
    sample("bitfinex", Trades, false, Unit::Ms, "[[52,TIME,-0.2,PRICE]]"),
    sample("bitfinex", Ws, false, Unit::Ms, r#"[18,"te",[52,TIME,-0.2,PRICE]]"#),
    sample("bitfinex", Ws, false, Unit::None, "[17,[3001.2,5.1,3001.3,7.25,-12.5,-0.0042,PRICE,912.5,3050,2980]]"),
    sample("gemini", Ticker, true, Unit::None, r#"{"bid":"3001.2","ask":"3001.3","volume":{"ETH":"912.5","USDT":"2738640.6","timestamp":1700000009000},"last":PRICE}"#),
    sample("gemini", Trades, false, Unit::Ms, r#"[{"timestamp":1700000009,"timestampms":TIME,"tid":52,"price":PRICE,"amount":"0.2","exchange":"gemini","type":"buy"}]"#),
    sample("gemini", Ws, true, Unit::Ms, r#"{"type":"trade","symbol":"ETHUSDT","event_id":7,"timestamp":TIME,"price":PRICE,"quantity":"0.2","side":"buy"}"#),
    sample("cryptocom", Ticker, true, Unit::None, r#"{"id":-1,"method":"public/get-tickers","code":0,"result":{"data":[{"i":"ETH_USDT","a":PRICE,"v":"912.5","vv":"1","t":1700000009999}]}}"#),
    sample("cryptocom", Trades, true, Unit::Ms, r#"{"id":-1,"method":"public/get-trades","code":0,"result":{"data":[{"s":"sell","p":PRICE,"q":"0.2","t":TIME,"d":"52","i":"ETH_USDT"}]}}"#),
    sample("cryptocom", Ws, true, Unit::Ms, r#"{"id":-1,"method":"subscribe","code":0,"result":{"instrument_name":"ETH_USDT","channel":"trade","data":[{"p":PRICE,"q":"0.2","t":TIME,"i":"ETH_USDT"}]}}"#),
    sample("cryptocom", Ws, true, Unit::None, r#"{"id":-1,"method":"subscribe","code":0,"result":{"instrument_name":"ETH_USDT","channel":"ticker","data":[{"i":"ETH_USDT","a":PRICE,"v":"912.5","t":1700000009999}]}}"#),
    sample("htx", Ticker, true, Unit::None, r#"{"status":"ok","ch":"market.ethusdt.detail.merged","ts":1700000009999,"tick":{"amount":912.5,"close":PRICE,"vol":2.7E6,"ask":[3001.3,0.8]}}"#),
    sample("htx", Trades, true, Unit::Ms, r#"{"ch":"market.ethusdt.trade.detail","status":"ok","ts":1700000009999,"tick":{"id":5,"ts":1700000009998,"data":[{"id":10500517034273194594947,"ts":TIME,"trade-id":52,"amount":0.2,"price":PRICE,"direction":"sell"}]}}"#),
    sample("htx", Ws, true, Unit::Ms, r#"{"ch":"market.ethusdt.trade.detail","ts":1700000009999,"tick":{"id":5,"ts":1700000009998,"data":[{"id":10500517034273194594947,"ts":TIME,"tradeId":52,"amount":0.2,"price":PRICE,"direction":"sell"}]}}"#),
    sample("htx", Ws, true, Unit::None, r#"{"ch":"market.ethusdt.detail","ts":1700000009999,"tick":{"close":PRICE,"amount":912.5,"vol":2.7E6}}"#),
    sample("mexc", Ticker, true, Unit::None, r#"{"symbol":"ETHUSDT","lastPrice":PRICE,"volume":"912.5","quoteVolume":null,"closeTime":1700000009999}"#),
    sample("mexc", Trades, false, Unit::Ms, r#"[{"id":null,"price":PRICE,"qty":"0.2","quoteQty":"600.25","time":TIME,"isBuyerMaker":true,"tradeType":"ASK"}]"#),
    sample("bitget", Ticker, true, Unit::None, r#"{"code":"00000","msg":"success","requestTime":1700000009999,"data":[{"symbol":"ETHUSDT","lastPr":PRICE,"baseVolume":"912.5","ts":"1700000009990"}]}"#),
    sample("bitget", Trades, true, Unit::Ms, r#"{"code":"00000","msg":"success","requestTime":1700000009999,"data":[{"symbol":"ETHUSDT","tradeId":"52","side":"buy","price":PRICE,"size":"0.2","ts":TIME}]}"#),
    sample("bitget", Ws, true, Unit::Ms, r#"{"action":"update","arg":{"instType":"SPOT","channel":"trade","instId":"ETHUSDT"},"data":[{"ts":TIME,"price":PRICE,"size":"0.2","side":"buy","tradeId":"52"}],"ts":1700000009999}"#),
    sample("bitget", Ws, true, Unit::None, r#"{"action":"snapshot","arg":{"instType":"SPOT","channel":"ticker","instId":"ETHUSDT"},"data":[{"instId":"ETHUSDT","lastPr":PRICE,"baseVolume":"912.5","ts":"1700000009990"}],"ts":1700000009999}"#),
];

impl Sample {
    fn exchange(&self) -> &'static Exchange {
        Exchange::by_name(self.source).expect(self.source)
    }

    fn with(&self, price: &str, time: &str) -> String {
        self.body.replace("PRICE", price).replace("TIME", time)
    }

    /// A valid body, and how its time is written.
    fn valid(&self) -> String {
        self.with("\"3001.250\"", &self.time_at())
    }

    fn time_at(&self) -> String {
        match self.time {
            Unit::None => String::new(),
            Unit::S => "1700000001.2349".into(),
            Unit::Ms => "1700000001234".into(),
            Unit::Us => "1700000001234999".into(),
            Unit::Ns => "1700000001234999999".into(),
            Unit::Iso => "\"2023-11-14T22:13:21.234999Z\"".into(),
        }
    }

    fn read(&self, body: &str) -> Result<Vec<Quote>, ParseError> {
        self.exchange()
            .parse(pair(PAIR), self.endpoint, body.as_bytes())
    }
}

fn pair(text: &str) -> FeedName {
    FeedName::new(text).expect(text)
}

fn prices(quotes: &[Quote]) -> Vec<Decimal> {
    quotes.iter().map(|q| q.price).collect()
}

#[test]
fn every_exchange_and_endpoint_is_tried() {
    for exchange in &EXCHANGES {
        for endpoint in [Ticker, Trades, Ws] {
            let tried = SAMPLES
                .iter()
                .any(|s| (s.source, s.endpoint) == (exchange.name, endpoint));
            // The prices in MEXC's stream are protobuf.
            let expected = (exchange.name, endpoint) != ("mexc", Ws);
            assert_eq!(tried, expected, "{} {endpoint}", exchange.name);
        }
    }
}

#[test]
fn a_valid_body_gives_its_price_and_the_time_of_its_trade() {
    for sample in SAMPLES {
        let body = sample.valid();
        assert_eq!(
            sample.exchange().detect(body.as_bytes()),
            Ok(sample.endpoint),
            "{body}"
        );
        let quotes = sample.read(&body).expect(&body);
        assert_eq!(quotes.len(), 1, "{body}");
        assert_eq!(quotes[0].price.to_string(), "3001.250", "{body}");
        let time = (sample.time != Unit::None).then_some(AT_MS);
        assert_eq!(quotes[0].trade_time_ms, time, "{body}");
        assert_eq!(
            (quotes[0].source.as_str(), quotes[0].pair),
            (sample.source, pair(PAIR))
        );
    }
}

#[test]
fn the_polled_endpoint_dates_its_prices() {
    for exchange in &EXCHANGES {
        let polled = SAMPLES
            .iter()
            .find(|s| (s.source, s.endpoint) == (exchange.name, exchange.polled));
        assert_ne!(polled.expect("tried").time, Unit::None, "{}", exchange.name);
        assert!(exchange.requests_per_second > 0);
    }
}

#[test]
fn a_number_is_read_exactly_or_refused() {
    let exact = [
        "0.000000000000000001",
        "123456789012345678.123456789012345678",
        "9.2E-7",
        "1e-18",
        "105944.20",
        "7",
        "99999999999999999999999999999999999999",
    ];
    let refused = [
        "1e99",
        "1e-99",
        "1e400",
        "9999999999999999999999999999999999999999",
        "NaN",
        "Infinity",
        "0x10",
        "1,5",
        "1.",
        ".5",
        "--1",
        " 1",
        "",
    ];
    for sample in SAMPLES {
        let time = sample.time_at();
        for text in exact {
            let want = Ok(vec![Decimal::parse(text).expect(text)]);
            for written in [text.to_owned(), format!("\"{text}\"")] {
                let body = sample.with(&written, &time);
                assert_eq!(sample.read(&body).map(|q| prices(&q)), want, "{body}");
            }
        }
        for text in refused {
            for written in [text.to_owned(), format!("\"{text}\"")] {
                // JSON allows blanks before a number, and a comma ends it.
                if [" 1", "1,5"].contains(&written.as_str()) {
                    continue;
                }
                let body = sample.with(&written, &time);
                assert!(sample.read(&body).is_err(), "{body}");
            }
        }
        for other in ["true", "[1]", "{}"] {
            let body = sample.with(other, &time);
            assert!(sample.read(&body).is_err(), "{body}");
        }
        // A frame may say by this that there is nothing new; it never gives a price.
        let body = sample.with("null", &time);
        assert!(sample.read(&body).map_or(true, |q| q.is_empty()), "{body}");
    }
}

#[test]
fn a_time_is_read_in_its_unit_or_refused() {
    for sample in SAMPLES {
        let (whole, late): (&[&str], u64) = match sample.time {
            Unit::None => continue,
            Unit::S => (
                &["1700000001", "\"1700000001\"", "\"1700000001.0\""],
                1_700_000_001_000,
            ),
            Unit::Ms => (
                &["1700000001000", "\"1700000001000\"", "\"1700000001000.75\""],
                1_700_000_001_000,
            ),
            Unit::Us => (
                &["1700000001000001", "\"1700000001000001\""],
                1_700_000_001_000,
            ),
            Unit::Ns => (
                &["1700000001000000001", "\"1700000001000000001\""],
                1_700_000_001_000,
            ),
            Unit::Iso => (
                &[
                    "\"2023-11-14T22:13:21Z\"",
                    "\"2023-11-15T00:13:21.000+02:00\"",
                ],
                1_700_000_001_000,
            ),
        };
        for time in whole {
            let body = sample.with("\"3001.25\"", time);
            let quotes = sample.read(&body).expect(&body);
            assert_eq!(quotes[0].trade_time_ms, Some(late), "{body}");
        }
        for time in [
            "-1", "\"-1\"", "1e30", "\"1e30\"", "\"now\"", "\"\"", "null", "true", "[]",
        ] {
            let body = sample.with("\"3001.25\"", time);
            assert!(sample.read(&body).is_err(), "{body}");
        }
    }
}

#[test]
fn an_answer_about_another_pair_is_refused() {
    for sample in SAMPLES {
        let body = sample.valid();
        for other in ["BTC-USDT", "ETH-USD", "ETH-BTC", "USDT-ETH"] {
            let got = sample
                .exchange()
                .parse(pair(other), sample.endpoint, body.as_bytes());
            // Gemini's ticker names the two currencies, but not which is the base.
            let inverse = (sample.source, sample.endpoint, other) == ("gemini", Ticker, "USDT-ETH");
            if sample.named && !inverse {
                assert!(
                    matches!(got, Err(ParseError::OtherPair { .. })),
                    "{other}: {body} gave {got:?}"
                );
            } else {
                assert!(got.is_ok(), "{other}: {body} gave {got:?}");
            }
        }
    }
}

#[test]
fn a_cut_body_gives_no_other_price() {
    for sample in SAMPLES {
        let body = sample.valid();
        let all = prices(&sample.read(&body).expect(&body));
        for cut in 0..body.len() {
            let part = &body.as_bytes()[..cut];
            // Whatever it is, nothing panics.
            let _ = sample.exchange().detect(part);
            for endpoint in [Ticker, Trades, Ws] {
                let got = sample.exchange().parse(pair(PAIR), endpoint, part);
                let found = prices(&got.unwrap_or_default());
                assert!(
                    found.iter().all(|p| all.contains(p)),
                    "{endpoint} {body} cut at {cut} gave {found:?}"
                );
            }
        }
    }
}

#[test]
fn a_damaged_body_does_not_panic() {
    for sample in SAMPLES {
        let body = sample.valid().into_bytes();
        for at in 0..body.len() {
            for byte in [0, b'"', b'}'] {
                let mut damaged = body.clone();
                damaged[at] = byte;
                let _ = sample.exchange().detect(&damaged);
                let _ = sample
                    .exchange()
                    .parse(pair(PAIR), sample.endpoint, &damaged);
            }
        }
    }
}

#[test]
fn bodies_of_one_exchange_are_no_prices_of_another() {
    // At the wrong endpoint or exchange a body is refused, is quiet, or means the same; a price that it does not have
    // never comes out.
    for sample in SAMPLES {
        let body = sample.valid();
        for exchange in &EXCHANGES {
            for endpoint in [Ticker, Trades, Ws] {
                let got = exchange.parse(pair(PAIR), endpoint, body.as_bytes());
                for quote in got.unwrap_or_default() {
                    assert_eq!(
                        quote.price.to_string(),
                        "3001.250",
                        "{} {endpoint}: {body}",
                        exchange.name
                    );
                }
            }
        }
    }
}
