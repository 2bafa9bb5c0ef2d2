//! Shopify's requests, proven and parsed.

use hookgate_sdk::testing::send;
use hookgate_sdk::{Provider, Request, provider_tests};
use hookgate_shopify::Shopify;

const SECRET: &str = "shpss_hookgate_lantern";

provider_tests!(Shopify);

#[test]
fn a_body_alone_tells_its_topic_well_enough_to_be_sent() {
    for (body, event_type) in [
        (include_str!("../samples/orders_paid.json"), "payment.succeeded"),
        (include_str!("../samples/orders_create.json"), "shopify.orders.create"),
        (include_str!("../samples/order_transactions_create.refund.json"), "refund.succeeded"),
        (include_str!("../samples/refunds_create.json"), "refund.initiated"),
        (include_str!("../samples/disputes_create.json"), "dispute.opened"),
        (include_str!("../samples/customers_update.json"), "customer.updated"),
        (include_str!("../samples/products_update.json"), "shopify.products.update"),
    ] {
        let events = send::<Shopify>(&Request::post("/in/shopify", body), SECRET, 0);
        assert_eq!(events[0].type_, event_type);
    }
}

#[test]
fn an_event_of_the_newer_kind_is_named_by_topic_and_action() {
    let body = r#"{"query_variables":{"productId":"gid://shopify/Product/70001"},"data":{}}"#;
    let mut request = Request::post("/in/shopify", body);
    for (name, value) in [("topic", "Product"), ("action", "update"), ("webhook-id", "wh-hg-01")] {
        request.set_header(&format!("shopify-{name}"), value);
    }
    let events = send::<Shopify>(&request, SECRET, 0);
    assert_eq!(events[0].type_, "shopify.product.update");
    assert_eq!(events[0].id, "wh-hg-01:product/update");
    assert_eq!(events[0].subject.as_deref(), Some("gid://shopify/Product/70001"));
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r##"{"id":1,
        "order_number":1001,"name":"#1001","test":true,"financial_status":"paid","line_items":[]}"##;
    let mut request = Request::post("/in/shopify", body);
    request.set_header("x-shopify-topic", "orders/paid");
    request.set_header("x-shopify-shop-domain", "lanterns.myshopify.com");
    let event = send::<Shopify>(&request, SECRET, 0).remove(0);
    for (name, value) in
        [("account", "lanterns.myshopify.com"), ("livemode", "false"), ("reference", "1001")]
    {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    let body = r#"{"id":1,"total_price":"1,50","amount":"9.00","currency":"EUR"}"#;
    let mut request = Request::post("/", body);
    request.set_header("x-shopify-topic", "orders/paid");
    assert_eq!(Shopify::parse(&request).unwrap()[0].money, None);
}
