import tseslint from "typescript-eslint";

/** Files of a layer, and the layers that they must not reach up to. */
const layers = [
  "wire",
  "catalog",
  "export",
  "journal",
  "methods",
  "rpc",
  "transport",
  "server",
  "in-memory",
  "yaml",
  "cli",
  "start-server",
  "main",
];

/** Layers of pure functions and of what is in memory. */
const pure = ["wire", "catalog", "export", "methods", "yaml"];

/** Arrows go one way, along `layers`: nothing imports what stands after it. */
const oneWay = layers.slice(0, -1).map((layer, index) => ({
  files: [`src/${layer}/**`, `src/${layer}.ts`],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: [
          {
            regex: `^\\.\\.?/(?!.*gen/)(?:.*/)?(?:${layers.slice(index + 1).join("|")})(?:/|\\.ts$)`,
            message: `src/${layer} must not depend on a later layer (${layers.join(" <- ")}).`,
          },
          ...(layer === "cli"
            ? [
                {
                  regex: "^\\.\\.?/(?!.*gen/)(?:.*/)?(?:journal|methods|rpc|server)(?:/|\\.ts$)",
                  message:
                    "Commands talk to a server as any client does; in-memory.ts is one, too.",
                },
              ]
            : []),
          ...(pure.includes(layer)
            ? [
                {
                  group: ["@connectrpc/*", "node:fs*", "node:http*", "node:net"],
                  message: `src/${layer} knows no RPC and no disk.`,
                },
              ]
            : []),
        ],
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ["gen/", "node_modules/", "coverage/", "dist/", ".generated/", ".cache/"] },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "no-console": "error",
      eqeqeq: "error",
    },
  },
  ...oneWay,
  {
    files: ["src/**"],
    ignores: ["src/main.ts"],
    rules: {
      "no-restricted-globals": [
        "error",
        { name: "process", message: "Only src/main.ts touches the process." },
      ],
    },
  },
);
