//! The HTTP server: every exchange's paths below its name.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::{net::TcpListener, time::sleep};
use tokio_util::sync::CancellationToken;
use touchstone_feeds::Exchange;
use touchstone_types::{Decimal, FeedName};

use crate::{
    Fault, Market, Summary, Trade,
    shape::{
        Body, binance, bitfinex, bitget, bitstamp, bybit, coinbase, cryptocom, gateio, gemini, htx,
        kraken, kucoin, mexc, okx,
    },
};

/// The most trades in one answer.
const TRADES_MAX: usize = 1_000;
/// How long a silent exchange keeps a request.
const SILENCE: Duration = Duration::from_secs(10);

/// What every handler sees.
struct App {
    market: Market,
    /// The pair of each exchange's symbols.
    symbols: BTreeMap<&'static str, BTreeMap<String, FeedName>>,
    stopped: CancellationToken,
}

/// What the exchanges call the symbol and the number of trades.
#[derive(Deserialize, Default)]
struct Params {
    #[serde(
        alias = "pair",
        alias = "instId",
        alias = "currency_pair",
        alias = "instrument_name"
    )]
    symbol: Option<String>,
    #[serde(alias = "count", alias = "limit_trades")]
    limit: Option<String>,
    time: Option<String>,
}

/// One request: which exchange, which answer, about what.
struct Ask<'a> {
    source: &'static str,
    kind: Kind,
    symbol: &'a str,
    limit: usize,
    since_ms: u64,
    now_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ticker,
    Trades,
    /// Binance's `ticker/price`.
    Price,
    /// Binance's `ticker/bookTicker`.
    Book,
    /// Binance's `trades` beside its `aggTrades`.
    PlainTrades,
}

impl App {
    fn new(market: Market, stopped: CancellationToken) -> Self {
        let mut symbols: BTreeMap<&'static str, BTreeMap<String, FeedName>> = BTreeMap::new();
        for name in market.markets() {
            let Some(exchange) = Exchange::by_name(&name.source) else {
                continue;
            };
            let of_source = symbols.entry(exchange.name).or_default();
            of_source.insert(exchange.symbol(name.pair), name.pair);
            if exchange.name == "kraken" {
                of_source.insert(kraken::answer_key(name.pair), name.pair);
            }
        }
        Self {
            market,
            symbols,
            stopped,
        }
    }

    fn pair(&self, source: &str, symbol: &str) -> Option<FeedName> {
        self.symbols.get(source)?.get(symbol).copied()
    }

    /// The answer without any fault; `price_factor` is a power of ten for absurd prices.
    fn answer(&self, ask: &Ask<'_>, price_shift: i8) -> Body {
        let asked: Option<Vec<FeedName>> = ask
            .symbol
            .split(',')
            .map(|s| self.pair(ask.source, s))
            .collect();
        let Some([pair, ..]) = asked.as_deref() else {
            return unknown_symbol(ask);
        };
        match ask.kind {
            Kind::Trades | Kind::PlainTrades => {
                let mut trades = self.market.trades(ask.source, *pair, ask.now_ms, ask.limit);
                trades.retain(|trade| trade.time_ms() >= ask.since_ms);
                for trade in &mut trades {
                    *trade = off(*trade, price_shift);
                }
                list(ask, *pair, &trades)
            }
            Kind::Ticker | Kind::Price | Kind::Book => {
                let summaries: Vec<(FeedName, Summary)> = asked
                    .iter()
                    .flatten()
                    .filter_map(|pair| {
                        Some((*pair, self.market.summary(ask.source, *pair, ask.now_ms)?))
                    })
                    .map(|(pair, summary)| {
                        (
                            pair,
                            Summary {
                                last: off(summary.last, price_shift),
                                ..summary
                            },
                        )
                    })
                    .collect();
                let [(pair, summary), ..] = summaries.as_slice() else {
                    return unknown_symbol(ask);
                };
                ticker(ask, *pair, summary, &summaries)
            }
        }
    }

    async fn respond(&self, ask: Ask<'_>) -> Response {
        let pair = self.pair(ask.source, ask.symbol);
        let fault = pair.and_then(|pair| self.market.fault(ask.source, pair, ask.now_ms));
        match fault {
            None => json(self.answer(&ask, 0)),
            Some(Fault::TooHigh) => json(self.answer(&ask, 3)),
            Some(Fault::TooLow) => json(self.answer(&ask, -3)),
            Some(Fault::Truncated) => {
                let Body { status, mut text } = self.answer(&ask, 0);
                // The bodies are ASCII.
                text.truncate(text.len() / 2);
                json(Body { status, text })
            }
            Some(Fault::Empty) => StatusCode::OK.into_response(),
            Some(Fault::ServerError) => {
                let page = "<html><head><title>500 Internal Server Error</title></head></html>";
                let kind = [(header::CONTENT_TYPE, "text/html")];
                (StatusCode::INTERNAL_SERVER_ERROR, kind, page).into_response()
            }
            Some(Fault::Silent) => {
                tokio::select! {
                    () = sleep(SILENCE) => {}
                    () = self.stopped.cancelled() => {}
                }
                StatusCode::GATEWAY_TIMEOUT.into_response()
            }
        }
    }
}

fn off(trade: Trade, shift: i8) -> Trade {
    let price = Decimal::new(
        trade.price.mantissa,
        trade.price.exponent.saturating_add(shift),
    );
    Trade { price, ..trade }
}

fn json(body: Body) -> Response {
    (
        body.status,
        [(header::CONTENT_TYPE, "application/json")],
        body.text,
    )
        .into_response()
}

fn unknown_symbol(ask: &Ask<'_>) -> Body {
    match ask.source {
        "coinbase" => coinbase::unknown_symbol(),
        "kraken" => kraken::unknown_symbol(),
        "bitstamp" => bitstamp::unknown_symbol(),
        "okx" => okx::unknown_symbol(),
        "bybit" => bybit::unknown_symbol(ask.now_ms),
        "kucoin" => kucoin::unknown_symbol(),
        "gateio" => gateio::unknown_symbol(ask.symbol),
        "bitfinex" => bitfinex::unknown_symbol(),
        "gemini" => gemini::unknown_symbol(ask.symbol),
        "cryptocom" => cryptocom::unknown_symbol(),
        "htx" => htx::unknown_symbol(ask.now_ms),
        "bitget" => bitget::unknown_symbol(ask.symbol, ask.now_ms),
        // MEXC has the same.
        _ => binance::unknown_symbol(),
    }
}

fn list(ask: &Ask<'_>, pair: FeedName, trades: &[Trade]) -> Body {
    match ask.source {
        "coinbase" => coinbase::trades(trades),
        "kraken" => kraken::trades(pair, trades),
        "bitstamp" => bitstamp::transactions(trades),
        "okx" => okx::trades(ask.symbol, trades),
        "bybit" => bybit::trades(ask.symbol, trades, ask.now_ms),
        "kucoin" => kucoin::histories(trades),
        "gateio" => gateio::trades(ask.symbol, trades),
        "bitfinex" => bitfinex::trades(trades),
        "gemini" => gemini::trades(trades),
        "cryptocom" => cryptocom::trades(ask.symbol, trades),
        "htx" => htx::trade(ask.symbol, trades, ask.now_ms),
        "mexc" => mexc::trades(trades),
        "bitget" => bitget::fills(ask.symbol, trades, ask.now_ms),
        _ if ask.kind == Kind::PlainTrades => binance::trades(trades),
        _ => binance::aggregate_trades(trades),
    }
}

fn ticker(ask: &Ask<'_>, pair: FeedName, summary: &Summary, all: &[(FeedName, Summary)]) -> Body {
    match (ask.source, ask.kind) {
        ("coinbase", _) => coinbase::ticker(summary),
        ("kraken", _) => kraken::ticker(all),
        ("bitstamp", _) => bitstamp::ticker(summary, ask.now_ms),
        ("okx", _) => okx::ticker(ask.symbol, summary, ask.now_ms),
        ("bybit", _) => bybit::ticker(ask.symbol, summary, ask.now_ms),
        ("kucoin", _) => kucoin::stats(ask.symbol, summary, ask.now_ms),
        ("gateio", _) => gateio::ticker(ask.symbol, summary),
        ("bitfinex", _) => bitfinex::ticker(summary),
        ("gemini", _) => gemini::ticker(pair, summary, ask.now_ms),
        ("cryptocom", _) => cryptocom::tickers(ask.symbol, summary, ask.now_ms),
        ("htx", _) => htx::merged(ask.symbol, summary, ask.now_ms),
        ("mexc", _) => mexc::ticker(ask.symbol, summary, ask.now_ms),
        ("bitget", _) => bitget::ticker(ask.symbol, summary, ask.now_ms),
        (_, Kind::Price) => binance::price(ask.symbol, summary),
        (_, Kind::Book) => binance::book_ticker(ask.symbol, summary),
        _ => binance::ticker(ask.symbol, summary, ask.now_ms),
    }
}

/// How many trades there are in an answer to a request that does not say it, and at most.
fn limits(source: &str) -> (usize, usize) {
    match source {
        "bybit" => (60, 60),
        "kucoin" => (100, 100),
        "gateio" => (100, TRADES_MAX),
        "bitfinex" => (125, TRADES_MAX),
        "gemini" => (50, 500),
        "cryptocom" => (25, 150),
        "htx" => (1, 1),
        "mexc" => (500, TRADES_MAX),
        "bitget" => (100, 500),
        _ => (TRADES_MAX, TRADES_MAX),
    }
}

/// The wall clock in Unix milliseconds.
fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// A route of one exchange; where the symbol stands in the request differs.
fn route(source: &'static str, kind: Kind) -> axum::routing::MethodRouter<Arc<App>> {
    get(
        move |State(app): State<Arc<App>>,
              path: Option<Path<String>>,
              Query(params): Query<Params>| async move {
            let in_path = path.map(|Path(symbol)| symbol);
            let symbol = in_path.or(params.symbol);
            let (limit_default, limit_max) = limits(source);
            let limit: Option<usize> = params.limit.and_then(|n| n.parse().ok());
            let now_ms = now_ms();
            // Bitstamp's answer covers a span of time, by default the last hour.
            let span_ms = match (source, params.time.as_deref()) {
                ("bitstamp", Some("minute")) => 60_000,
                ("bitstamp", Some("day")) => 86_400_000,
                ("bitstamp", _) => 3_600_000,
                _ => now_ms,
            };
            app.respond(Ask {
                source,
                kind,
                symbol: symbol.as_deref().unwrap_or_default(),
                limit: limit.unwrap_or(limit_default).clamp(1, limit_max),
                since_ms: now_ms.saturating_sub(span_ms),
                now_ms,
            })
            .await
        },
    )
}

fn binance_routes(source: &'static str) -> Router<Arc<App>> {
    Router::new()
        .route("/api/v3/ticker/24hr", route(source, Kind::Ticker))
        .route("/api/v3/ticker/price", route(source, Kind::Price))
        .route("/api/v3/ticker/bookTicker", route(source, Kind::Book))
        .route("/api/v3/aggTrades", route(source, Kind::Trades))
        .route("/api/v3/trades", route(source, Kind::PlainTrades))
}

/// Where each exchange answers what.
#[rustfmt::skip]
const PATHS: [(&str, &str, Kind); 26] = [
    ("coinbase", "/products/{symbol}/ticker", Kind::Ticker),
    ("coinbase", "/products/{symbol}/trades", Kind::Trades),
    ("kraken", "/0/public/Ticker", Kind::Ticker),
    ("kraken", "/0/public/Trades", Kind::Trades),
    ("bitstamp", "/api/v2/ticker/{symbol}/", Kind::Ticker),
    ("bitstamp", "/api/v2/transactions/{symbol}/", Kind::Trades),
    ("okx", "/api/v5/market/ticker", Kind::Ticker),
    ("okx", "/api/v5/market/trades", Kind::Trades),
    ("bybit", "/v5/market/tickers", Kind::Ticker),
    ("bybit", "/v5/market/recent-trade", Kind::Trades),
    ("kucoin", "/api/v1/market/stats", Kind::Ticker),
    ("kucoin", "/api/v1/market/histories", Kind::Trades),
    ("gateio", "/api/v4/spot/tickers", Kind::Ticker),
    ("gateio", "/api/v4/spot/trades", Kind::Trades),
    ("bitfinex", "/v2/ticker/{symbol}", Kind::Ticker),
    ("bitfinex", "/v2/trades/{symbol}/hist", Kind::Trades),
    ("gemini", "/v1/pubticker/{symbol}", Kind::Ticker),
    ("gemini", "/v1/trades/{symbol}", Kind::Trades),
    ("cryptocom", "/exchange/v1/public/get-tickers", Kind::Ticker),
    ("cryptocom", "/exchange/v1/public/get-trades", Kind::Trades),
    ("htx", "/market/detail/merged", Kind::Ticker),
    ("htx", "/market/trade", Kind::Trades),
    ("mexc", "/api/v3/ticker/24hr", Kind::Ticker),
    ("mexc", "/api/v3/trades", Kind::Trades),
    ("bitget", "/api/v2/spot/market/tickers", Kind::Ticker),
    ("bitget", "/api/v2/spot/market/fills", Kind::Trades),
];

/// Every exchange's routes; a silent fault ends early when `stopped` is cancelled.
pub fn router(market: Market, stopped: CancellationToken) -> Router {
    PATHS
        .iter()
        .fold(Router::new(), |router, (source, path, kind)| {
            router.route(&format!("/{source}{path}"), route(source, *kind))
        })
        .nest("/binance", binance_routes("binance"))
        .nest("/binance_us", binance_routes("binance_us"))
        .with_state(Arc::new(App::new(market, stopped)))
}

/// Serves the market until `shutdown`.
///
/// # Errors
/// What the listener reports.
pub async fn serve(
    listener: TcpListener,
    market: Market,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let app = router(market, shutdown.clone());
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}
