--
-- PostgreSQL database dump
--



-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_table_access_method = heap;

--
-- Name: _sqlx_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);


--
-- Name: countries; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.countries (
    code text NOT NULL,
    name text NOT NULL,
    shipping_cents bigint NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT countries_code_check CHECK ((code ~ '^[A-Z]{2}$'::text)),
    CONSTRAINT countries_name_check CHECK ((name <> ''::text)),
    CONSTRAINT countries_shipping_cents_check CHECK ((shipping_cents >= 0))
);


--
-- Name: orders; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.orders (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    total_cents bigint NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    placed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT orders_status_check CHECK ((status = ANY (ARRAY['open'::text, 'paid'::text, 'cancelled'::text]))),
    CONSTRAINT orders_total_cents_check CHECK ((total_cents >= 0))
);


--
-- Name: orders_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.orders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.orders_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: users; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.users (
    id bigint NOT NULL,
    name text NOT NULL,
    email text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT users_name_check CHECK ((name <> ''::text))
);


--
-- Name: users_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.users ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Data for Name: _sqlx_migrations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES
	(1, 'users', '1970-01-01 00:00:00+00', true, '\x97c22ce7a105c460e6deb402c4724609faa52ce166e5b8005c544ab5a5e3b22944bc543778ccd1a6e820b6d710fcc678', 0),
	(2, 'orders', '1970-01-01 00:00:00+00', true, '\x24bc42395b37341cf90d613b9732538c8aebdbf45e3417dcc4d8bc5b983b24841f126c47a4aee706def7ada5773194c9', 0),
	(3, 'countries', '1970-01-01 00:00:00+00', true, '\x975a869355f9ef55021675752d9e6ba0cb8e314255900833a97c1b89916d75c1ba7c2707ff3eef72286bf9bdded06ad3', 0);


--
-- Data for Name: countries; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: orders; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.orders (id, user_id, total_cents, status, placed_at) OVERRIDING SYSTEM VALUE VALUES
	(1, 3, 6408, 'paid', '2026-05-30 01:43:20+00'),
	(2, 4, 16980, 'paid', '2026-04-24 16:06:59+00'),
	(3, 22, 18040, 'cancelled', '2026-06-01 18:28:20+00'),
	(4, 17, 32417, 'open', '2026-04-17 14:20:50+00'),
	(5, 18, 28081, 'paid', '2026-05-18 22:53:44+00'),
	(6, 4, 30567, 'paid', '2026-07-06 08:14:44+00'),
	(7, 20, 34065, 'open', '2026-06-11 07:20:01+00'),
	(8, 15, 45128, 'paid', '2026-07-18 17:06:30+00'),
	(9, 30, 15308, 'open', '2026-07-02 00:19:28+00'),
	(10, 29, 27259, 'open', '2026-05-02 12:37:46+00'),
	(11, 27, 13159, 'open', '2026-06-01 22:55:18+00'),
	(12, 30, 10516, 'paid', '2026-06-19 08:06:41+00'),
	(13, 29, 37691, 'open', '2026-06-20 02:39:18+00'),
	(14, 23, 38159, 'paid', '2026-04-12 07:10:55+00'),
	(15, 10, 43857, 'paid', '2026-07-16 18:39:50+00'),
	(16, 30, 29966, 'cancelled', '2026-06-26 17:58:44+00'),
	(17, 8, 44751, 'open', '2026-05-22 10:04:02+00'),
	(18, 10, 32940, 'open', '2026-06-25 05:22:30+00'),
	(19, 22, 15640, 'paid', '2026-05-15 02:15:28+00'),
	(20, 28, 37422, 'paid', '2026-04-29 23:02:57+00'),
	(21, 6, 39051, 'paid', '2026-04-24 04:04:35+00'),
	(22, 11, 13006, 'paid', '2026-06-10 12:04:18+00'),
	(23, 12, 30537, 'paid', '2026-05-23 11:53:31+00'),
	(24, 17, 12590, 'cancelled', '2026-04-13 11:20:08+00'),
	(25, 20, 5416, 'paid', '2026-04-14 06:13:56+00'),
	(26, 9, 44558, 'paid', '2026-04-11 12:55:12+00'),
	(27, 4, 35962, 'paid', '2026-06-02 04:16:31+00'),
	(28, 22, 7113, 'open', '2026-06-01 18:00:58+00'),
	(29, 20, 7951, 'cancelled', '2026-06-22 05:40:33+00'),
	(30, 28, 4103, 'paid', '2026-05-30 11:06:06+00'),
	(31, 5, 22152, 'open', '2026-06-16 02:51:48+00'),
	(32, 16, 30419, 'open', '2026-04-17 02:50:12+00'),
	(33, 10, 3605, 'paid', '2026-05-30 16:03:15+00'),
	(34, 16, 8174, 'cancelled', '2026-07-17 14:57:48+00'),
	(35, 2, 20851, 'open', '2026-05-29 23:36:13+00'),
	(36, 24, 6848, 'open', '2026-07-11 06:24:46+00'),
	(37, 21, 35084, 'paid', '2026-05-03 09:22:03+00'),
	(38, 11, 42998, 'open', '2026-06-30 21:56:41+00'),
	(39, 16, 224, 'open', '2026-06-20 00:50:15+00'),
	(40, 10, 31469, 'paid', '2026-07-12 09:12:32+00'),
	(41, 9, 22820, 'open', '2026-06-10 15:52:36+00'),
	(42, 22, 15929, 'paid', '2026-07-06 04:31:21+00'),
	(43, 3, 45394, 'paid', '2026-05-07 19:02:00+00'),
	(44, 26, 39718, 'paid', '2026-06-21 04:21:53+00'),
	(45, 18, 308, 'cancelled', '2026-07-12 08:29:30+00'),
	(46, 9, 28325, 'paid', '2026-04-28 21:32:31+00'),
	(47, 27, 18129, 'paid', '2026-06-30 13:00:45+00'),
	(48, 29, 49062, 'cancelled', '2026-05-21 11:14:52+00'),
	(49, 17, 42589, 'cancelled', '2026-07-08 14:55:16+00'),
	(50, 1, 33405, 'cancelled', '2026-05-05 11:41:34+00'),
	(51, 17, 5413, 'open', '2026-06-16 18:45:56+00'),
	(52, 24, 26162, 'paid', '2026-05-23 15:11:30+00'),
	(53, 20, 3571, 'open', '2026-06-08 23:25:07+00'),
	(54, 9, 212, 'cancelled', '2026-05-08 23:33:03+00'),
	(55, 9, 14297, 'paid', '2026-06-23 12:03:20+00'),
	(56, 6, 7312, 'paid', '2026-06-23 19:51:44+00'),
	(57, 23, 14483, 'cancelled', '2026-06-09 19:26:15+00'),
	(58, 25, 39687, 'paid', '2026-06-29 20:03:00+00'),
	(59, 7, 11047, 'cancelled', '2026-05-10 01:33:50+00'),
	(60, 26, 16237, 'cancelled', '2026-05-11 14:12:06+00'),
	(61, 3, 5519, 'open', '2026-04-26 21:05:41+00'),
	(62, 18, 43799, 'cancelled', '2026-05-18 12:05:15+00'),
	(63, 25, 21988, 'cancelled', '2026-05-18 17:53:03+00'),
	(64, 15, 25749, 'open', '2026-04-29 19:15:19+00'),
	(65, 11, 49399, 'cancelled', '2026-06-12 06:32:25+00'),
	(66, 11, 8579, 'paid', '2026-06-19 07:48:50+00'),
	(67, 2, 16898, 'paid', '2026-07-13 04:04:03+00'),
	(68, 2, 5801, 'open', '2026-05-22 13:30:51+00'),
	(69, 16, 42601, 'cancelled', '2026-04-24 12:10:39+00'),
	(70, 6, 1740, 'cancelled', '2026-06-05 02:43:51+00');


--
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.users (id, name, email, created_at) OVERRIDING SYSTEM VALUE VALUES
	(1, 'Eoin O''Dea', 'user0@shop.example', '2026-01-15 05:39:17+00'),
	(2, 'Željka', 'user1@shop.example', '2026-03-18 03:01:16+00'),
	(3, 'Željka', 'user2@shop.example', '2026-01-08 11:03:14+00'),
	(4, 'Željka', 'user3@shop.example', '2026-01-29 14:27:37+00'),
	(5, 'Eoin O''Dea', 'user4@shop.example', '2026-01-20 15:42:37+00'),
	(6, 'Ada', 'user5@shop.example', '2026-01-02 01:18:25+00'),
	(7, 'Günther', 'user6@shop.example', '2026-01-21 09:47:41+00'),
	(8, 'Fatou', 'user7@shop.example', '2026-03-24 14:55:03+00'),
	(9, 'Željka', 'user8@shop.example', '2026-01-27 17:27:31+00'),
	(10, 'Günther', 'user9@shop.example', '2026-03-09 16:10:24+00'),
	(11, 'Chloë', 'user10@shop.example', '2026-02-04 20:23:17+00'),
	(12, 'Željka', 'user11@shop.example', '2026-02-22 07:46:07+00'),
	(13, 'Björn', 'user12@shop.example', '2026-03-22 17:15:35+00'),
	(14, 'Fatou', 'user13@shop.example', '2026-01-16 10:40:57+00'),
	(15, 'Fatou', 'user14@shop.example', '2026-01-27 16:15:10+00'),
	(16, 'Chloë', 'user15@shop.example', '2026-02-10 10:01:18+00'),
	(17, 'Chloë', 'user16@shop.example', '2026-02-06 07:44:28+00'),
	(18, 'Ada', 'user17@shop.example', '2026-01-16 07:31:47+00'),
	(19, 'Chloë', 'user18@shop.example', '2026-03-07 15:59:39+00'),
	(20, 'Günther', 'user19@shop.example', '2026-01-03 17:51:30+00'),
	(21, 'Chloë', 'user20@shop.example', '2026-02-08 02:12:39+00'),
	(22, 'Chloë', 'user21@shop.example', '2026-04-04 11:21:26+00'),
	(23, 'Željka', 'user22@shop.example', '2026-03-10 07:37:42+00'),
	(24, 'Dmytro', 'user23@shop.example', '2026-03-30 19:02:58+00'),
	(25, 'Eoin O''Dea', 'user24@shop.example', '2026-03-31 19:42:35+00'),
	(26, 'Željka', 'user25@shop.example', '2026-03-09 11:28:55+00'),
	(27, 'Günther', 'user26@shop.example', '2026-01-15 03:25:12+00'),
	(28, 'Chloë', 'user27@shop.example', '2026-04-03 12:47:19+00'),
	(29, 'Chloë', 'user28@shop.example', '2026-01-12 22:34:53+00'),
	(30, 'Chloë', 'user29@shop.example', '2026-01-15 16:59:41+00');


--
-- Name: orders_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.orders_id_seq', 70, true);


--
-- Name: users_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.users_id_seq', 30, true);


--
-- Name: _sqlx_migrations _sqlx_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);


--
-- Name: countries countries_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.countries
    ADD CONSTRAINT countries_pkey PRIMARY KEY (code);


--
-- Name: orders orders_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);


--
-- Name: users users_email_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_email_key UNIQUE (email);


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- Name: orders_by_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX orders_by_user ON public.orders USING btree (user_id);


--
-- Name: orders orders_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);


--
-- PostgreSQL database dump complete
--



